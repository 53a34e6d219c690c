"""Seeds differ wherever the noise must differ, and are the same on every machine."""

from __future__ import annotations

import itertools

import torch

from nacre.tools.train.noise import noise_seed


def test_no_two_steps_or_processes_share_a_seed():
    places = list(itertools.product(range(3), range(8), range(200)))
    assert len({noise_seed(*place) for place in places}) == len(places)


def test_seeds_are_pinned_and_torch_takes_them():
    assert noise_seed(0, 0, 0) == 7_340_184_341_046_728_869
    torch.Generator().manual_seed(max(noise_seed(0, 0, step) for step in range(1000)))

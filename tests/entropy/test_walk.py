"""The walk visits every element once, and no step sees what is not yet decoded."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.walk import MAX_MAGNITUDE, STEPS, drive, step_masks, walk

CPU = torch.device("cpu")


class Recorder:
    """A prior whose means are the sum of all that it was shown."""

    def __init__(self):
        self.seen = []

    def mean(self, y_hat, step):
        self.seen.append(y_hat.clone())
        return torch.full_like(y_hat, float(step))

    def rows(self, magnitudes, step):
        assert magnitudes.max() <= MAX_MAGNITUDE
        return torch.zeros_like(magnitudes, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(8, 4, 6), (320, 1, 1), (5, 3, 7), (4, 1, 9)]
)
def test_each_element_is_coded_in_exactly_one_step(channels, height, width):
    masks = torch.stack(step_masks(channels, height, width, CPU))
    assert masks.shape == (STEPS, 1, channels, height, width)
    assert (masks.sum(0) == 1).all()


def test_a_step_takes_every_position_of_a_block_in_some_channel():
    for mask in step_masks(STEPS, 2, 2, CPU):
        assert (mask[0].sum(0) == 1).all()


def test_the_order_of_version_1_is_pinned():
    first = [mask[0].nonzero().tolist() for mask in step_masks(4, 2, 2, CPU)]
    assert first == [
        [[0, 0, 0], [1, 1, 0], [2, 0, 1], [3, 1, 1]],
        [[0, 1, 1], [1, 0, 0], [2, 1, 0], [3, 0, 1]],
        [[0, 0, 1], [1, 1, 1], [2, 0, 0], [3, 1, 0]],
        [[0, 1, 0], [1, 0, 1], [2, 1, 1], [3, 0, 0]],
    ]


def test_a_step_sees_what_was_decoded_before_and_nothing_else():
    prior, shape = Recorder(), torch.Size((1, 8, 4, 4))
    truth = torch.randint(-20, 20, shape).float()
    y_hat = drive(walk(prior, shape, CPU), lambda step: truth)
    masks = step_masks(*shape[1:], CPU)
    decoded = sum(torch.where(mask, truth + k, 0.0) for k, mask in enumerate(masks))
    assert torch.equal(y_hat, decoded)
    for k, seen in enumerate(prior.seen):
        known = sum((mask for mask in masks[:k]), torch.zeros(1, dtype=torch.bool))
        assert torch.equal(seen, torch.where(known, decoded, 0.0))

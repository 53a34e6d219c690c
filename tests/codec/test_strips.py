"""Strips cover the latent, and what comes out of them is what comes out of the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.codec import strips
from nacre.codec.tiles import Runner
from nacre.models.config import ImageConfig
from nacre.models.zoo import load_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (100, 7), (33, 3000)])
@pytest.mark.parametrize("pixels", [1, 10_000, 1 << 22])
def test_strips_cover_every_row_once_with_a_halo(height, width, pixels, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_PIXELS", pixels)
    found = list(strips.strips(height, width, ImageConfig()))
    assert [row for s in found for row in range(s.start, s.end)] == list(range(height))
    beyond = strips.halo(ImageConfig())
    assert all(
        s.low == max(0, s.start - beyond) and s.high == min(height, s.end + beyond) for s in found
    )


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner(load_model(), CPU)


@torch.inference_mode()
def test_no_seam(runner, monkeypatch):
    """The shipped model on noise, where a halo too small shows first."""
    pixels = np.random.default_rng(0).integers(0, 256, (400, 40, 3), np.uint8)
    t = torch.tensor([0.7])
    whole = strips.analyse(runner, pixels, t)
    features = torch.randn(1, runner.model.config.context, *whole.shape[2:])
    decoded = strips.synthesise(runner, whole.round(), features, t, 3).astype(int)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 7 * 16 * 48)
    assert len(list(strips.strips(25, 3, runner.model.config))) == 4
    assert (strips.analyse(runner, pixels, t) - whole).abs().max() < 1e-5 * whole.abs().max()
    again = strips.synthesise(runner, whole.round(), features, t, 3).astype(int)
    assert np.abs(again - decoded).max() <= 1


@torch.inference_mode()
def test_a_halo_too_small_would_be_seen(runner, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 40, 3), np.uint8)
    t = torch.tensor([0.7])
    whole = strips.analyse(runner, pixels, t)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 7 * 16 * 48)
    monkeypatch.setattr(strips, "halo", lambda _: 2)
    assert (strips.analyse(runner, pixels, t) - whole).abs().max() > 1e-5 * whole.abs().max()

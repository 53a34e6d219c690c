"""Blending with the prediction: integers, between both pictures, nothing where nothing is predicted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.codec.motion.blend import (
    HALVES,
    QUALITIES,
    SAMPLES,
    UNIT,
    WEIGHTS,
    blended,
    blended_in_floats,
    weights,
)


def pictures(away: int, height: int = 9, width: int = 14) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture, and one that differs by `away` levels at most."""
    rng = np.random.default_rng(away)
    picture = rng.integers(0, 256, (3, height, width))
    other = (picture + rng.integers(-away, away + 1, picture.shape)).clip(0, 255)
    return torch.from_numpy(picture.astype(np.uint8)), torch.from_numpy(other.astype(np.uint8))


def slowly(
    picture: np.ndarray, predicted: np.ndarray, is_predicted: np.ndarray, quality: int
) -> np.ndarray:
    """Pixel by pixel, in plain integers, at one of QUALITIES."""
    most, half = (of[QUALITIES.index(quality)] for of in (WEIGHTS, HALVES))
    away = predicted.astype(int) - picture
    wide = np.pad(np.abs(away).sum(0), 1, mode="edge")
    out = picture.copy()
    for y, x in zip(*np.nonzero(is_predicted), strict=True):
        total = int(wide[y : y + 3, x : x + 3].sum())
        weight = most * half**4 // (half**4 + total**4)
        for c in range(3):
            moved = (weight * abs(away[c, y, x]) + UNIT // 2) // UNIT
            out[c, y, x] = picture[c, y, x] + np.sign(away[c, y, x]) * moved
    return out


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("away", [2, 12, 255])
def test_a_blend_is_that_of_plain_integers(away, quality):
    picture, other = pictures(away)
    mask = torch.rand(picture.shape[1:], generator=torch.Generator().manual_seed(0)) < 0.8
    with torch.autocast("cpu", torch.bfloat16):
        found = blended(picture, other, mask, quality)
    assert np.array_equal(found, slowly(picture.numpy(), other.numpy(), mask.numpy(), quality))
    assert torch.equal(found[:, ~mask], picture[:, ~mask])
    low, high = torch.minimum(picture, other), torch.maximum(picture, other)
    assert bool(((low <= found) & (found <= high)).all())


def test_brighter_and_darker_are_blended_alike():
    picture, other = pictures(20)
    mask = torch.ones(picture.shape[1:], dtype=torch.bool)
    inverse = blended(255 - picture, 255 - other, mask, 60)
    assert torch.equal(255 - inverse, blended(picture, other, mask, 60))


def test_what_differs_more_is_blended_less():
    for quality in range(1, 101):
        found = weights(quality)
        assert len(found) == 255 * SAMPLES + 1
        assert bool((found.diff() <= 0).all()) and found[0] > 0 and found[-1] == 0


@pytest.mark.parametrize("quality", [1, 40, 100])
def test_training_blends_alike_and_has_a_gradient(quality):
    picture, other = pictures(12)
    mask = torch.rand(picture.shape[1:], generator=torch.Generator().manual_seed(1)) < 0.8
    x_hat = (picture / 255).requires_grad_()
    found = blended_in_floats(x_hat, other / 255, mask, quality)
    shown = blended(picture, other, mask, quality)
    assert float((255 * found - shown).detach().abs().max()) < 0.501  # it is not rounded
    found.sum().backward()
    weight = (1 - x_hat.grad[0]) * UNIT  # what the picture gave up to the prediction
    assert bool((weight[~mask] == 0).all()) and bool((weight[mask] > 0).any())

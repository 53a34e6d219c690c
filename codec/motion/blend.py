"""Blends a decoded frame with the picture that predicted it, where they differ little: less noise in both.

Errors of quantisation of successive frames are nearly independent, so their mean has fewer. It is shown, and
is what the next frame refers to. Integers alone: a blend of equal pictures is equal on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

UNIT = 64  # of a weight
AROUND = 1  # pixels to each side over which differences are summed
SAMPLES = 3 * (2 * AROUND + 1) ** 2  # that a sum of differences has
# The best weights, and the differences at which they halve, on clips of the training set: docs/video.md.
QUALITIES = (15, 35, 55, 75, 95)
WEIGHTS = (58, 44, 34, 33, 33)  # of the prediction, in 1/UNIT, where nothing differs
HALVES = (270, 284, 216, 108, 57)  # sums of SAMPLES absolute differences


def blended(picture: Tensor, predicted: Tensor, is_predicted: Tensor, quality: int) -> Tensor:
    """(3, H, W) uint8 of a decoded frame and its prediction (3, H, W) uint8, where `is_predicted` (H, W)."""
    away = predicted.short() - picture.short()
    weight = _weight(away, is_predicted, quality)
    # Towards the prediction by whole levels, halves upwards: the same for brighter and for darker.
    moved = (weight * away.abs() + UNIT // 2) >> 6
    return (picture.short() + torch.where(away < 0, -moved, moved).short()).to(torch.uint8)


def blended_in_floats(
    x_hat: Tensor, predicted: Tensor, is_predicted: Tensor, quality: int
) -> Tensor:
    """The same without rounding, in [0, 1], for training; `x_hat` is not clamped and has the gradient.

    Weights have none: they are those of the rounded picture.
    """
    picture, other = ((255 * x.detach()).round().clamp(0, 255).short() for x in (x_hat, predicted))
    weight = _weight(other - picture, is_predicted, quality) / UNIT
    return x_hat + weight * (predicted - x_hat)


def _weight(away: Tensor, is_predicted: Tensor, quality: int) -> Tensor:
    """(H, W) of the prediction, in 1/UNIT, for differences (3, H, W) int16."""
    total = _summed(away.abs().sum(0, dtype=torch.int32))
    return weights(quality).to(total.device)[total.long()] * is_predicted


def _summed(plane: Tensor) -> Tensor:
    """(H, W) whole numbers, each the sum of those around it; edges are repeated."""
    for axis in (0, 1):
        line = plane.movedim(axis, 0)
        wide = torch.cat([line[:1], line, line[-1:]])
        plane = (wide[:-2] + wide[1:-1] + wide[2:]).movedim(0, axis)
    return plane


@lru_cache
def weights(quality: int) -> Tensor:
    """(255 * SAMPLES + 1,) int32 the weight of the prediction for each sum of differences, in 1/UNIT."""
    most, half = (_between(values, quality) for values in (WEIGHTS, HALVES))
    found = [most * half**4 // (half**4 + total**4) for total in range(255 * SAMPLES + 1)]
    return torch.tensor(found, dtype=torch.int32, device="cpu")


def _between(values: Sequence[int], quality: int) -> int:
    """The value at a quality, between those of QUALITIES."""
    quality = min(max(quality, QUALITIES[0]), QUALITIES[-1])
    k = max(i for i, q in enumerate(QUALITIES[:-1]) if q <= quality)
    first, last = QUALITIES[k : k + 2]
    return (values[k] * (last - quality) + values[k + 1] * (quality - first)) // (last - first)

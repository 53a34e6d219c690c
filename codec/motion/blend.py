"""Blends a decoded frame with its prediction where the two differ little, which reduces quantisation noise.

Quantisation errors of successive frames are nearly independent, so the mean of both has a smaller error. The
blend is shown, and it is the reference of the next frame. Integer arithmetic makes it equal on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

UNIT = 64  # a weight of 1
AROUND = 1  # pixels to each side over which differences are summed
SAMPLES = 3 * (2 * AROUND + 1) ** 2  # absolute differences in a sum
# The best weights, and the differences that halve them, on clips of the training set: docs/video.md.
QUALITIES = (15, 35, 55, 75, 95)
WEIGHTS = (58, 44, 34, 33, 33)  # of the prediction, in 1/UNIT, where nothing differs
HALVES = (270, 284, 216, 108, 57)  # sums of SAMPLES absolute differences


def blended(picture: Tensor, predicted: Tensor, is_predicted: Tensor, quality: int) -> Tensor:
    """Blend a decoded frame and its prediction, both (3, H, W) uint8, where `is_predicted` (H, W) holds."""
    away = predicted.short() - picture.short()
    weight = _weight(away, is_predicted, quality)
    # Whole levels towards the prediction; the magnitude is rounded half up, whatever the sign.
    moved = (weight * away.abs() + UNIT // 2) >> 6
    return (picture.short() + torch.where(away < 0, -moved, moved).short()).to(torch.uint8)


def blended_in_floats(
    x_hat: Tensor, predicted: Tensor, is_predicted: Tensor, quality: int
) -> Tensor:
    """`blended` without rounding, for pictures in [0, 1], with a gradient for `x_hat`, which is not clamped.

    The weights come from the rounded pictures, and have no gradient.
    """
    picture, other = ((255 * x.detach()).round().clamp(0, 255).short() for x in (x_hat, predicted))
    weight = _weight(other - picture, is_predicted, quality) / UNIT
    return x_hat + weight * (predicted - x_hat)


def _weight(away: Tensor, is_predicted: Tensor, quality: int) -> Tensor:
    """(H, W) weight of the prediction in 1/UNIT, for differences (3, H, W) int16."""
    total = _summed(away.abs().sum(0, dtype=torch.int32))
    return weights(quality).to(total.device)[total.long()] * is_predicted


def _summed(plane: Tensor) -> Tensor:
    """(H, W) sums of whole numbers over 3 x 3 pixels; edges are repeated."""
    for axis in (0, 1):
        line = plane.movedim(axis, 0)
        wide = torch.cat([line[:1], line, line[-1:]])
        plane = (wide[:-2] + wide[1:-1] + wide[2:]).movedim(0, axis)
    return plane


@lru_cache
def weights(quality: int) -> Tensor:
    """(255 * SAMPLES + 1,) int32 weight of the prediction in 1/UNIT, by the sum of differences."""
    most, half = (_between(values, quality) for values in (WEIGHTS, HALVES))
    found = [most * half**4 // (half**4 + total**4) for total in range(255 * SAMPLES + 1)]
    return torch.tensor(found, dtype=torch.int32, device="cpu")


def _between(values: Sequence[int], quality: int) -> int:
    """The value at a quality, interpolated linearly between QUALITIES."""
    quality = min(max(quality, QUALITIES[0]), QUALITIES[-1])
    k = max(i for i, q in enumerate(QUALITIES[:-1]) if q <= quality)
    first, last = QUALITIES[k : k + 2]
    return (values[k] * (last - quality) + values[k + 1] * (quality - first)) // (last - first)

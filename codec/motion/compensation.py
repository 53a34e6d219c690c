"""The picture that a motion field predicts: integer interpolation at quarter pixels, equal on every machine."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nacre.codec.motion.field import BLOCK, PART, UNITS, MotionField

# 8 taps for each quarter of a pixel, in 64ths; the fourth tap is the pixel itself.
# Source: the luma filters of HEVC, ITU-T H.265, 8.5.3.3.3.
FILTERS = (
    (0, 0, 0, 64, 0, 0, 0, 0),
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 40, 40, -11, 4, -1),
    (0, 1, -5, 17, 58, -10, 4, -1),
)
TAPS, BEFORE = 8, 3  # and pixels before the one that is interpolated
ROUNDING, SHIFT = 1 << 11, 12  # 64 * 64
SIDE = PART + TAPS - 1  # pixels that a part is made from
PARTS_AT_ONCE = 4096
NEUTRAL = 128  # where nothing is predicted


def _matrices() -> Tensor:
    """(4, PART, SIDE) float64: interpolation of the pixels of a part, for each quarter."""
    found = torch.zeros(UNITS, PART, SIDE, dtype=torch.float64, device="cpu")
    for quarter, taps in enumerate(FILTERS):
        for pixel in range(PART):
            found[quarter, pixel, pixel : pixel + TAPS] = torch.tensor(taps, dtype=torch.float64)
    return found


_MATRICES = _matrices()


def compensate(reference: Tensor, field: MotionField) -> Tensor:
    """(C, H, W) uint8 of a reference of the same size and type, on the CPU.

    Vectors may point beyond the reference, whose edges are repeated. Blocks that are not predicted are NEUTRAL.
    Sums are whole numbers below 2**53 in float64, so that no order of adding changes them.
    """
    channels, height, width = reference.shape
    rows, columns = field.modes.shape
    vectors = torch.from_numpy(field.vectors)
    out = torch.empty((channels, rows * BLOCK, columns * BLOCK), dtype=torch.uint8, device="cpu")
    at_once = max(1, PARTS_AT_ONCE // (2 * columns))
    for first in range(0, 2 * rows, at_once):
        part = vectors[first : first + at_once]
        count = part.shape[0]
        top = torch.arange(first, first + count, device="cpu")[:, None] * PART + (part[..., 0] >> 2)
        left = torch.arange(2 * columns, device="cpu") * PART + (part[..., 1] >> 2)
        ramp = torch.arange(SIDE, device="cpu") - BEFORE
        y = (top.flatten()[:, None] + ramp).clamp_(0, height - 1)  # (n, SIDE)
        x = (left.flatten()[:, None] + ramp).clamp_(0, width - 1)
        pixels = reference[:, y[:, :, None], x[:, None, :]].double()  # (C, n, SIDE, SIDE)
        down = _MATRICES[(part[..., 0] & 3).flatten()]
        right = _MATRICES[(part[..., 1] & 3).flatten()].transpose(1, 2)
        found = torch.matmul(torch.matmul(down, pixels), right)  # (C, n, PART, PART)
        found = ((found + ROUNDING) / (1 << SHIFT)).floor_().clamp_(0, 255).to(torch.uint8)
        found = found.unflatten(1, (count, 2 * columns)).transpose(2, 3)
        out[:, first * PART : (first + count) * PART] = found.reshape(
            channels, count * PART, 2 * columns * PART
        )
    if not field.is_predicted.all():
        mask = torch.from_numpy(np.kron(field.is_predicted, np.ones((BLOCK, BLOCK), bool)))
        out = torch.where(mask, out, torch.full_like(out, NEUTRAL))
    return out[:, :height, :width]

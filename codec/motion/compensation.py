"""The picture that a motion field predicts: integer interpolation at quarter pixels, equal on every machine."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.codec.motion.field import BLOCK, PART, UNITS, MotionField, MotionMode, Vectors

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
PIXELS_AT_ONCE = 1 << 18
NEUTRAL = 128  # where nothing is predicted


def _matrices(side: int) -> Tensor:
    """(4, side, side + TAPS - 1) float64: interpolation along a line, for each quarter."""
    found = torch.zeros(UNITS, side, side + TAPS - 1, dtype=torch.float64, device="cpu")
    for quarter, taps in enumerate(FILTERS):
        for pixel in range(side):
            found[quarter, pixel, pixel : pixel + TAPS] = torch.tensor(taps, dtype=torch.float64)
    return found


_MATRICES = {side: _matrices(side) for side in (BLOCK, PART)}


def compensate(reference: Tensor, field: MotionField) -> Tensor:
    """(C, H, W) uint8 of a reference of the same size and type, on the CPU.

    Vectors may point beyond the reference, whose edges are repeated. Blocks that are not predicted are NEUTRAL.
    Sums are whole numbers below 2**53 in float64, so that no order of adding changes them.
    """
    channels, height, width = reference.shape
    rows, columns = field.modes.shape
    out = torch.full(
        (channels, rows * BLOCK, columns * BLOCK), NEUTRAL, dtype=torch.uint8, device="cpu"
    )
    split = np.repeat(np.repeat(field.modes == MotionMode.SPLIT, 2, 0), 2, 1)
    _fill(out, reference, field.vectors, split, PART)
    whole = field.is_predicted & (field.modes != MotionMode.SPLIT)
    _fill(out, reference, field.vectors[::2, ::2], whole, BLOCK)
    return out[:, :height, :width]


def _fill(
    out: Tensor, reference: Tensor, vectors: Vectors, which: NDArray[np.bool_], side: int
) -> None:
    """Predict squares of `side` pixels, `which` of them, each by its vector."""
    height, width = reference.shape[1:]
    squares = out.unflatten(2, (-1, side)).unflatten(1, (-1, side)).permute(1, 3, 0, 2, 4)
    at_once = max(1, PIXELS_AT_ONCE // side**2)
    all_rows, all_columns = (torch.from_numpy(n) for n in np.nonzero(which))
    ramp = torch.arange(side + TAPS - 1, device="cpu") - BEFORE
    for row, column in zip(all_rows.split(at_once), all_columns.split(at_once), strict=True):
        own = torch.from_numpy(vectors[row.numpy(), column.numpy()])  # (n, 2)
        top, left = row * side + (own[:, 0] >> 2), column * side + (own[:, 1] >> 2)
        y = (top[:, None] + ramp).clamp_(0, height - 1)  # (n, side + TAPS - 1)
        x = (left[:, None] + ramp).clamp_(0, width - 1)
        pixels = reference[:, y[:, :, None], x[:, None, :]].double()
        down, right = (_MATRICES[side][own[:, k] & 3] for k in range(2))
        found = torch.matmul(torch.matmul(down, pixels), right.transpose(1, 2))
        found = ((found + ROUNDING) / (1 << SHIFT)).floor_().clamp_(0, 255).to(torch.uint8)
        squares[row, column] = found.transpose(0, 1)

"""Motion compensation with integer interpolation at quarter pixels, equal on every machine."""

from __future__ import annotations

from functools import lru_cache

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
TAPS, BEFORE = 8, 3  # taps, and the pixels before the interpolated one
SCALE = 64 * 64  # gain of both filter passes
PIXELS_AT_ONCE = 1 << 18
NEUTRAL = 128  # the level of blocks without a prediction


@lru_cache
def _matrices(side: int) -> Tensor:
    """(4, side, side + TAPS - 1) float64 matrices that interpolate a line, one for each quarter."""
    found = torch.zeros(UNITS, side, side + TAPS - 1, dtype=torch.float64, device="cpu")
    for quarter, taps in enumerate(FILTERS):
        for pixel in range(side):
            found[quarter, pixel, pixel : pixel + TAPS] = torch.tensor(taps, dtype=torch.float64)
    return found


def compensate(reference: Tensor, field: MotionField, overlap: int = 0) -> Tensor:
    """(C, H, W) uint8 prediction from a reference of equal shape and type, on the CPU.

    Vectors may point beyond the reference, whose edges are repeated. Each block, or part of a split block, is
    predicted with `overlap` pixels around it, 0 to MAX_OVERLAP of `condition`; overlapping predictions are
    blended by weights that fall linearly across the borders. INTRA blocks are NEUTRAL. Every sum is a whole
    number below 2**53 in float64, so the order of adding does not matter; the division is that of IEEE 754.

    Source: overlapped block motion compensation, H.263, annex F.
    """
    channels, height, width = reference.shape
    rows, columns = field.modes.shape
    total = _Total(channels, rows * BLOCK, columns * BLOCK, overlap)
    is_split = field.modes == MotionMode.SPLIT
    whole = field.is_predicted & ~is_split
    total.add(reference, field.vectors[::2, ::2], whole, BLOCK)
    if is_split.any():
        total.add(reference, field.vectors, np.repeat(np.repeat(is_split, 2, 0), 2, 1), PART)
    out = total.picture()
    alone = torch.from_numpy(~field.is_predicted)
    if bool(alone.any()):
        out.masked_fill_(alone.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1), NEUTRAL)
    return out[:, :height, :width]


class _Total:
    """The weighted sum of all predictions of a picture of whole blocks, and the sum of the weights."""

    def __init__(self, channels: int, height: int, width: int, overlap: int) -> None:
        self._overlap = overlap
        sides = (height + 2 * overlap, width + 2 * overlap)
        self._values = torch.zeros(channels, *sides, dtype=torch.float64, device="cpu")
        self._weights = torch.zeros(1, *sides, dtype=torch.float64, device="cpu")

    def add(self, reference: Tensor, vectors: Vectors, which: NDArray[np.bool_], side: int) -> None:
        """Add predictions of the squares of `side` pixels where `which` holds, each with its surroundings."""
        height, width = reference.shape[1:]
        own_side = side + 2 * self._overlap
        matrices, weights = _matrices(own_side), _weights(side, self._overlap)
        sides, before = own_side + TAPS - 1, BEFORE + self._overlap
        windows = _windows(reference, sides)
        # Squares of one group do not overlap, even with their surroundings.
        for first_row, first_column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            here = which[first_row::2, first_column::2]
            sums = [
                self._squares(plane, first_row * side, first_column * side, side, here.shape)
                for plane in (self._values, self._weights)
            ]
            at_once = max(1, PIXELS_AT_ONCE // own_side**2)
            all_rows, all_columns = (torch.from_numpy(n) for n in np.nonzero(here))
            for row, column in zip(
                all_rows.split(at_once), all_columns.split(at_once), strict=True
            ):
                y, x = 2 * row + first_row, 2 * column + first_column
                own = torch.from_numpy(vectors[y.numpy(), x.numpy()])  # (n, 2)
                top, left = (
                    (at * side - before + (own[:, axis] >> 2)).clamp_(-sides, length) + sides
                    for axis, (at, length) in enumerate(((y, height), (x, width)))
                )
                pixels = windows[:, top, left].double()  # (C, n, sides, sides)
                down, right = (matrices[own[:, k] & 3] for k in range(2))
                found = torch.matmul(torch.matmul(down, pixels), right.transpose(1, 2))
                sums[0][row, column] += (found * weights).transpose(0, 1)
                sums[1][row, column] += weights

    def _squares(
        self, plane: Tensor, top: int, left: int, side: int, counts: tuple[int, ...]
    ) -> Tensor:
        """(rows, columns, C, own side, own side) view of every second square with its surroundings."""
        down, right = plane.stride()[1:]
        own_side = side + 2 * self._overlap
        return plane.as_strided(
            (*counts, plane.shape[0], own_side, own_side),
            (2 * side * down, 2 * side * right, plane.stride(0), down, right),
            top * down + left * right,
        )

    def picture(self) -> Tensor:
        """(C, H, W) uint8, rounded half up; 0 where nothing is predicted."""
        inside = slice(self._overlap, self._values.shape[1] - self._overlap)
        across = slice(self._overlap, self._values.shape[2] - self._overlap)
        unit = self._weights[:, inside, across].clamp(min=1) * SCALE
        found = self._values[:, inside, across]
        return ((2 * found + unit) / (2 * unit)).floor_().clamp_(0, 255).to(torch.uint8)


def _windows(reference: Tensor, side: int) -> Tensor:
    """(C, H + side + 1, W + side + 1, side, side) view: windows from `side` pixels before the edges on.

    Edges are repeated, so a window further outside equals the outermost one.
    """
    down, right = (
        torch.arange(-side, length + side, device="cpu").clamp_(0, length - 1)
        for length in reference.shape[1:]
    )
    wide = reference.index_select(1, down).index_select(2, right)
    return wide.unfold(1, side, 1).unfold(2, side, 1)


def _weights(side: int, overlap: int) -> Tensor:
    """(side + 2 * overlap, side + 2 * overlap) whole numbers; where neighbours overlap, their weights add up
    to the weight inside a square."""
    if not overlap:
        return torch.ones(side, side, dtype=torch.float64, device="cpu")
    rise = torch.arange(1, 4 * overlap, 2, dtype=torch.float64, device="cpu")
    flat = torch.full((side - 2 * overlap,), 4.0 * overlap, dtype=torch.float64, device="cpu")
    line = torch.cat([rise, flat, rise.flip(0)])
    return line[:, None] * line

"""The motion of a frame: for each block of 16x16 pixels a mode, for each quarter of it a vector."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

BLOCK, PART = 16, 8  # pixels a side
UNITS = 4  # of a vector for one pixel
MAX_VECTOR = 2**13 - 1  # units, in either direction

Vectors = NDArray[
    np.int32
]  # (..., 2): down and right, from a block to the pixels that it is predicted from
Modes = NDArray[np.uint8]


class MotionMode(IntEnum):
    """How a block is predicted."""

    SKIP = 0  # by the vector that its neighbours suggest
    INTER = 1  # by a vector of its own
    SPLIT = 2  # by a vector for each of its four parts
    INTRA = 3  # not at all


@dataclass(frozen=True)
class MotionField:
    """The motion of a frame of rows x columns blocks; the last ones may reach beyond the frame."""

    modes: Modes  # (rows, columns)
    vectors: Vectors  # (2 * rows, 2 * columns, 2), zero where a block is not predicted

    @classmethod
    def still(cls, height: int, width: int) -> MotionField:
        """Of a frame in pixels where nothing moves."""
        rows, columns = blocks_along(height), blocks_along(width)
        return cls(
            np.zeros((rows, columns), np.uint8), np.zeros((2 * rows, 2 * columns, 2), np.int32)
        )

    @property
    def is_predicted(self) -> NDArray[np.bool_]:
        """(rows, columns)"""
        return self.modes != MotionMode.INTRA


def blocks_along(pixels: int) -> int:
    return -(-pixels // BLOCK)


def suggested(vectors: Vectors, row: int, column: int) -> Vectors:
    """(2,) the median of the vectors to the left, above, and above to the right of a block.

    Neighbours outside the frame count as zero, but in the first row the left one counts alone. The vectors
    (2 * rows, 2 * columns, 2) must be known there.

    Source: H.264, 8.4.1.3, without reference indices.
    """
    top, left = 2 * row, 2 * column
    before = vectors[top, left - 1] if column else np.zeros(2, np.int32)
    if not row:
        return before
    above = vectors[top - 1, left]
    beside = (
        vectors[top - 1, left + 2]
        if left + 2 < vectors.shape[1]
        else vectors[top - 1, left - 1]
        if column
        else above
    )
    low, high = np.minimum(before, above), np.maximum(before, above)
    return np.maximum(low, np.minimum(high, beside))


def block_vectors(field: MotionField) -> Vectors:
    """(rows, columns, 2) the vector of the first part of each block."""
    return field.vectors[::2, ::2]

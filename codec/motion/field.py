"""The motion of a frame: a mode for each block of 16x16 pixels, a vector for each quarter of a block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

BLOCK, PART = 16, 8  # pixels a side
UNITS = 4  # of a vector, in one pixel
MAX_VECTOR = 2**13 - 1  # units, in either direction

# (..., 2): down and right, from a block to the pixels of its prediction in the reference.
Vectors = NDArray[np.int32]
Modes = NDArray[np.uint8]


class MotionMode(IntEnum):
    """How a block is predicted."""

    SKIP = 0  # by the hint of its neighbours
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
        """The field of a frame of height x width pixels without motion."""
        rows, columns = blocks_along(height), blocks_along(width)
        return cls(
            np.zeros((rows, columns), np.uint8), np.zeros((2 * rows, 2 * columns, 2), np.int32)
        )

    @property
    def is_predicted(self) -> NDArray[np.bool_]:
        """(rows, columns) blocks that are not INTRA."""
        return self.modes != MotionMode.INTRA


def blocks_along(pixels: int) -> int:
    return -(-pixels // BLOCK)


Pair = tuple[int, int]


class Hints:
    """Predictors of the vectors of a row of blocks: the median of the left, above and above-right neighbours.

    In the first row the left neighbour alone counts. Left of the frame vectors are zero. In the last column the
    block above left replaces the one above right; in a frame of one column, the block above does.

    Source: H.264, 8.4.1.3, without reference indices.
    """

    def __init__(self, vectors: Vectors, row: int) -> None:
        """Vectors (2 * rows, 2 * columns, 2), known above the row."""
        self._vectors, self._row = vectors, row
        self._above: list[list[int]] = vectors[2 * row - 1].tolist() if row else []

    def left(self, column: int) -> Pair:
        """The vector to the left of a block, in a row whose vectors are known that far."""
        if not column:
            return 0, 0
        down, right = self._vectors[2 * self._row, 2 * column - 1].tolist()
        return down, right

    def of(self, column: int, left: Pair) -> Pair:
        """The hint of a block whose left neighbour has the vector `left`."""
        line = self._above
        if not line:
            return left
        at = 2 * column
        above = line[at]
        beside = line[at + 2] if at + 2 < len(line) else line[at - 1] if column else above
        (a, x), (b, y), (c, z) = left, above, beside
        return sorted((a, b, c))[1], sorted((x, y, z))[1]


def block_vectors(field: MotionField) -> Vectors:
    """(rows, columns, 2) the vector of the first part of each block."""
    return field.vectors[::2, ::2]

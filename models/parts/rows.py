"""Table rows: the scale that a row number stands for, and the start from which export fits its table.

A row selects the frequency table of a symbol. Rows by scale are computed from decoded integers; rows by
channel are fixed by the channel and the quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.tables import MAX_RADIUS

ROWS = 64  # by scale: evenly spaced in log2 of the scale
LOG2_MIN, LOG2_MAX = -3.2, 6.0  # of the scale, in quantisation steps
ROW_STEP = (LOG2_MAX - LOG2_MIN) / (ROWS - 1)


@dataclass(frozen=True)
class Rows:
    """The rows of a plane, as export needs them to fit tables."""

    scales: tuple[float, ...]  # the standard deviation that the table of each row starts from
    # Whether rows are by scale: tables are then even in the sign, and rows whose symbols are nearly always
    # zero are not coded.
    by_scale: bool


def row_scale(row: int) -> float:
    """The standard deviation that a row by scale stands for, in quantisation steps."""
    return float(2.0 ** (LOG2_MIN + ROW_STEP * row))


def row_radius(scale: float) -> int:
    """The largest symbol with a frequency of its own."""
    return int(min(MAX_RADIUS, ceil(8 * scale) + 2))


def rows_by_scale() -> Rows:
    return Rows(tuple(row_scale(row) for row in range(ROWS)), True)


def nearest_row(log2_scale: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The row by scale that is nearest to each scale."""
    row = np.rint((log2_scale - LOG2_MIN) / ROW_STEP)
    return np.clip(row, 0, ROWS - 1).astype(np.uint8)

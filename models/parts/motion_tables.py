"""The frequency tables of motion, which are part of the weights: their names and numbers of rows."""

from __future__ import annotations

from nacre.models.parts.rows import Rows

MODES, VECTORS = "modes", "vectors"  # the names of the tables
MODE_COUNT = 4
MODE_ROWS = MODE_COUNT + 1  # one for each mode of the block above, one for no block above
# The least difference of classes 1, 2 and 3, in quarters of a pixel. Class 0 begins at 0.
SIZES = (1, 5, 17)
PART_ROW = len(SIZES) + 1  # the row of the later parts of a split block
VECTOR_ROWS = PART_ROW + 1


def motion_rows() -> dict[str, Rows]:
    return {MODES: Rows((1.0,) * MODE_ROWS, False), VECTORS: Rows((4.0,) * VECTOR_ROWS, False)}

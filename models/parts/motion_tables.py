"""The frequency tables of motion, which are part of the weights: their names and how many rows they have."""

from __future__ import annotations

from nacre.models.parts.rows import Rows

MODES, VECTORS = "modes", "vectors"  # the names of the tables
MODE_COUNT = 4
MODE_ROWS = MODE_COUNT + 1  # by the mode above, or none
SIZES = (
    1,
    5,
    17,
)  # where classes of differences begin, in quarters of a pixel; 0 is the first class
PART_ROW = len(SIZES) + 1  # of the later parts of a split block
VECTOR_ROWS = PART_ROW + 1


def motion_rows() -> dict[str, Rows]:
    return {MODES: Rows((1.0,) * MODE_ROWS, False), VECTORS: Rows((4.0,) * VECTOR_ROWS, False)}

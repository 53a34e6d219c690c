"""Codes a motion field: for each row of blocks the modes, then the differences of the vectors.

The mode of the block above selects the table of a mode; the size of the vector difference above selects the
table of a vector difference. A vector is coded as the difference to its hint (`Hints`). Later parts of a split
block are coded as differences to the part before, with a table of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from nacre.codec.motion.field import (
    MAX_VECTOR,
    Hints,
    Modes,
    MotionField,
    MotionMode,
    Pair,
    Vectors,
    blocks_along,
)
from nacre.entropy.coder import SymbolDecoder, SymbolEncoder
from nacre.entropy.errors import CorruptStream
from nacre.entropy.tables import Tables
from nacre.models.parts.motion_tables import MODE_ROWS, MODES, PART_ROW, SIZES, VECTORS

VECTORS_OF = {MotionMode.INTER: 1, MotionMode.SPLIT: 4}  # vectors coded for a block

Rows = NDArray[np.uint8]
Symbols = NDArray[np.int32]
# Takes the name of the tables, the row of each symbol, and the symbols or None; returns the symbols.
Transfer = Callable[[str, Rows, "Symbols | None"], Symbols]


def write_field(field: MotionField, encoder: SymbolEncoder, tables: Mapping[str, Tables]) -> None:
    """Push the symbols of a field to the encoder."""

    def push(name: str, rows: Rows, symbols: Symbols | None) -> Symbols:
        assert symbols is not None
        encoder.push(symbols, rows, tables[name])
        return symbols

    walk_field(field, field.modes.shape, push)


def read_field(
    decoder: SymbolDecoder, tables: Mapping[str, Tables], height: int, width: int
) -> MotionField:
    """Pull the field of a frame of height x width pixels. Raises CorruptStream."""

    def pull(name: str, rows: Rows, _: Symbols | None) -> Symbols:
        return decoder.pull(rows, tables[name])

    return walk_field(None, (blocks_along(height), blocks_along(width)), pull)


def walk_field(
    known: MotionField | None, shape: tuple[int, int], transfer: Transfer
) -> MotionField:
    """Transfer all symbols of a field of `shape` blocks in coding order; returns the field.

    `known` is the field to write, or None for reading. Raises CorruptStream.
    """
    rows, columns = shape
    modes: Modes = np.zeros((rows, columns), np.uint8)
    vectors: Vectors = np.zeros((2 * rows, 2 * columns, 2), np.int32)
    sizes = np.zeros(columns, np.int64)  # of the differences in the row above
    for row in range(rows):
        above = modes[row - 1] if row else np.full(columns, MODE_ROWS - 1, np.uint8)
        own = None if known is None else known.modes[row].astype(np.int32)
        found = transfer(MODES, above, own)
        if found.min() < 0 or found.max() >= len(MotionMode):
            raise CorruptStream("motion: a mode is not known")
        modes[row] = found
        sizes = _vectors_of_row(known, modes, vectors, row, sizes, transfer)
    return MotionField(modes, vectors)


def _vectors_of_row(
    known: MotionField | None,
    modes: Modes,
    vectors: Vectors,
    row: int,
    sizes: NDArray[np.int64],
    transfer: Transfer,
) -> NDArray[np.int64]:
    """Fill the vectors of a row of blocks; returns the size of the first difference of each, or 0."""
    own_modes = modes[row].tolist()
    counts = [VECTORS_OF.get(mode, 0) for mode in own_modes]
    classes = np.searchsorted(SIZES, sizes, "right").tolist()
    tables = [PART_ROW if k else classes[c] for c, n in enumerate(counts) for k in range(n)]
    own = None if known is None else _differences(known, row, counts)
    pairs = np.repeat(np.array(tables, np.uint8), 2)
    away = transfer(VECTORS, pairs, own).reshape(-1, 2).tolist()
    hints = Hints(vectors, row)
    parts: list[list[Pair]] = []  # four vectors of each block
    at, found = 0, [0] * len(counts)
    for column, (mode, count) in enumerate(zip(own_modes, counts, strict=True)):
        hint = hints.of(column, parts[-1][1] if column else (0, 0))
        if mode == MotionMode.INTRA:
            parts.append([(0, 0)] * 4)
            continue
        block = [hint]
        for down, right in away[at : at + count]:
            block.append((block[-1][0] + down, block[-1][1] + right))
        parts.append(block[1:] if count == 4 else [block[-1]] * 4)
        if count:
            found[column] = max(map(abs, away[at]))
            at += count
    whole = np.array(parts).reshape(len(counts), 2, 2, 2)
    if np.abs(whole).max() > MAX_VECTOR:
        raise CorruptStream(f"motion: a vector of over {MAX_VECTOR}")
    vectors[2 * row : 2 * row + 2] = whole.transpose(1, 0, 2, 3).reshape(2, -1, 2)
    return np.array(found, np.int64)


def _differences(field: MotionField, row: int, counts: list[int]) -> Symbols:
    """(2 * n,) the coded vector differences of a row of blocks."""
    found, hints = [], Hints(field.vectors, row)
    for column, count in enumerate(counts):
        if count:
            own = field.vectors[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(4, 2)
            hint = hints.of(column, hints.left(column))
            found.append(np.diff(own[:count], axis=0, prepend=[hint]))
    return np.concatenate([*found, np.zeros((0, 2), np.int32)]).astype(np.int32).flatten()

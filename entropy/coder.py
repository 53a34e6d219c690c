"""Symbols to bytes and back: grouped by table row, one bulk call of the stack for each row.

The order inside a call is fixed: rows upwards, in a row the elements in order, then the escaped symbols.
Encoder and decoder share `_groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.clock import timed
from nacre.entropy.errors import CorruptStream
from nacre.entropy.stack import Stack, new_stack
from nacre.entropy.tables import ESCAPE_BITS, MAX_SYMBOL, TOTAL, Tables

ESCAPE_SIZE = 1 << ESCAPE_BITS
ESCAPE_FREQUENCIES = np.full(ESCAPE_SIZE, TOTAL // ESCAPE_SIZE, np.int64)

SymbolArray = NDArray[np.int32]
TableRows = NDArray[np.uint8] | NDArray[np.int16]


def _groups(rows: TableRows, tables: Tables) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Every coded row that occurs, upwards, with the positions of its elements in order."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=tables.rows)
    ends = np.cumsum(counts).tolist()
    for row in np.flatnonzero(counts[tables.coded_from :]).tolist():
        row += tables.coded_from
        yield row, order[ends[row - 1] if row else 0 : ends[row]]


class SymbolEncoder:
    """Collects symbols in the order in which they will be decoded; `finish` codes them in reverse.

    >>> from nacre.entropy.tables import integer_frequencies
    >>> frequencies = integer_frequencies(np.array([1, 2, 1, 0.01]))  # of -1, 0, 1, and of an escape
    >>> tables = Tables(np.array([0, 1]), frequencies, coded_from=1)
    >>> rows = np.array([1, 1, 0, 1], np.uint8)
    >>> encoder = SymbolEncoder()
    >>> encoder.push(np.array([0, -1, 0, 7], np.int32), rows, tables)
    >>> data = encoder.finish()
    >>> decoder = SymbolDecoder(data)
    >>> decoder.pull(rows, tables).tolist()
    [0, -1, 0, 7]
    >>> decoder.finish()
    >>> data.hex()
    'dd6e4208'
    """

    def __init__(self, stack: Callable[[], Stack] = new_stack) -> None:
        self._stack = stack
        self._pending: list[tuple[SymbolArray, TableRows, Tables]] = []

    def push(self, symbols: SymbolArray, rows: TableRows, tables: Tables) -> None:
        """(n,) symbols of at most MAX_SYMBOL in magnitude, zero where the row is not coded."""
        self._pending.append((symbols, rows, tables))

    @timed
    def finish(self) -> bytes:
        stack = self._stack()
        for symbols, rows, tables in reversed(self._pending):
            _push(stack, symbols, rows, tables)
        return stack.to_bytes()


def _push(stack: Stack, symbols: SymbolArray, rows: TableRows, tables: Tables) -> None:
    coded: list[tuple[SymbolArray, int]] = []
    escaped: list[SymbolArray] = []
    for row, where in _groups(rows, tables):
        radius = int(tables.radius[row])
        indices = symbols[where] + np.int32(radius)
        beyond = indices.view(np.uint32) > 2 * radius  # negative ones, too
        out = indices[beyond] - np.int32(radius)
        indices[beyond] = 2 * radius + 1
        coded.append((indices, row))
        escaped.append((2 * (np.abs(out) - radius - 1) + (out < 0)).astype(np.int32))
    if any(map(len, escaped)):
        stack.push(np.concatenate(escaped), ESCAPE_FREQUENCIES)
    for indices, row in reversed(coded):
        stack.push(indices, tables.of_row(row))


class SymbolDecoder:
    """Reads the code of a `SymbolEncoder`, in the order in which it was pushed."""

    def __init__(self, data: bytes, stack: Callable[[bytes], Stack] = new_stack) -> None:
        self._stack = stack(data)

    @timed
    def pull(self, rows: TableRows, tables: Tables) -> SymbolArray:
        """(n,) symbols for (n,) rows; any bytes give some symbols, and `finish` detects wrong ones."""
        symbols = np.zeros(len(rows), np.int32)
        groups = list(_groups(rows, tables))
        if not groups:
            return symbols
        found = [self._stack.pop(len(where), tables.of_row(row)) for row, where in groups]
        coded = np.concatenate([where for _, where in groups])
        radius = tables.radius[rows]
        symbols[coded] = np.concatenate(found) - radius[coded]
        beyond = symbols > radius
        if beyond.any():
            where = coded[beyond[coded]]
            raw = self._stack.pop(len(where), ESCAPE_FREQUENCIES)
            magnitude = (raw >> 1) + radius[where].astype(np.int32) + 1
            symbols[where] = np.where(raw & 1, -magnitude, magnitude)
            if magnitude.max() > MAX_SYMBOL:
                raise CorruptStream(f"coded symbols: a value of over {MAX_SYMBOL}")
        return symbols

    def finish(self) -> None:
        """Raises CorruptStream unless exactly the written symbols have been read."""
        if not self._stack.is_empty():
            raise CorruptStream("coded symbols: the code does not end where the symbols do")

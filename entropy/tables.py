"""Frequency tables of the symbols: integers made once, shipped with the weights, part of the format.

A table gives the frequencies of the symbols -radius..radius and of an escape; they sum to
2**PRECISION and none is zero, so every symbol can be coded. A family has one table for each row;
rows below `coded_from` have no table: their symbols are zero by rule and cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import WeightsError
from nacre.entropy.once import once

PRECISION = 24  # bits; the frequencies of a table sum to 2**PRECISION
TOTAL = 1 << PRECISION
MAX_RADIUS = 255  # symbols beyond escape
MAX_ROWS = 1024  # row numbers are bytes, or 16 bits where there are more than 256
ESCAPE_BITS = 16  # plain, behind the escape
MAX_SYMBOL = 32767  # magnitudes beyond are clamped by the encoder

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """A family of tables, symmetric or not.

    `frequencies` holds the tables of rows `coded_from`, `coded_from` + 1, ... one after the other.
    The table of a row has 2 * radius + 2 entries: symbols from -radius up, then the escape.
    Raises WeightsError when any entry is not positive or a table does not sum to 2**PRECISION.

    >>> frequencies = integer_frequencies(np.array([1, 2, 1, 0.01]))  # of -1, 0, 1, and of an escape
    >>> tables = Tables(np.array([0, 1]), frequencies, coded_from=1)
    >>> tables.bits(1).round(2).tolist()
    [2.0, 1.0, 2.0, 8.65]
    """

    radius: Ints  # (rows,)
    frequencies: Ints  # (sum of 2 * radius + 2 over the coded rows,)
    coded_from: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.coded_from < len(self.radius) <= MAX_ROWS:
            raise WeightsError(f"tables: {len(self.radius)} rows, coded from {self.coded_from}")
        if self.radius.min() < 0 or self.radius.max() > MAX_RADIUS:
            raise WeightsError(f"tables: a radius is not in 0..{MAX_RADIUS}")
        if self._starts[-1] != len(self.frequencies):
            raise WeightsError(
                f"tables: {len(self.frequencies)} frequencies, not {self._starts[-1]}"
            )
        if self.frequencies.min() < 1:
            raise WeightsError("tables: a symbol that can occur has no frequency")
        sums = np.add.reduceat(self.frequencies, self._starts[:-1])
        if (sums != TOTAL).any():
            raise WeightsError(f"tables: the frequencies of a row do not sum to {TOTAL}")

    @property
    def rows(self) -> int:
        return len(self.radius)

    @once
    def _starts(self) -> Ints:
        return np.concatenate([[0], np.cumsum(2 * self.radius[self.coded_from :] + 2)])

    @once
    def _by_row(self) -> list[Ints]:
        return np.split(self.frequencies, self._starts[1:-1])

    def of_row(self, row: int) -> Ints:
        """(2 * radius + 2,) frequencies of one coded row; the same array at every call."""
        return self._by_row[row - self.coded_from]

    @once
    def expected_bits(self) -> NDArray[np.float64]:
        """(rows,) mean bits of a symbol of each row, if symbols are distributed as in its table."""
        bits = np.zeros(self.rows)
        for row in range(self.coded_from, self.rows):
            bits[row] = (self.of_row(row) * self.bits(row)).sum() / TOTAL
        return bits

    @once
    def costs(self) -> NDArray[np.float32]:
        """(rows, 2 * MAX_RADIUS + 3) bits of the symbols -MAX_RADIUS - 1 to MAX_RADIUS + 1 in each row.

        The symbols at both ends stand for all escapes. In rows that are not coded every symbol but 0 costs
        infinity.
        """
        costs = np.full((self.rows, 2 * MAX_RADIUS + 3), np.inf, np.float32)
        middle = MAX_RADIUS + 1
        costs[: self.coded_from, middle] = 0
        for row in range(self.coded_from, self.rows):
            bits, radius = self.bits(row), int(self.radius[row])
            costs[row] = bits[-1] + ESCAPE_BITS
            costs[row, middle - radius : middle + radius + 1] = bits[:-1]
        return costs

    def bits(self, row: int) -> NDArray[np.float64]:
        """(2 * radius + 2,) bits of each symbol of the row, and of the escape."""
        return PRECISION - np.log2(self.of_row(row))


def integer_frequencies(probabilities: NDArray[np.float64]) -> Ints:
    """Positive integers that sum to 2**PRECISION, close to (n,) probabilities of any positive sum.

    The largest one takes the remainder of the rounding.

    >>> integer_frequencies(np.array([1.0, 2.0, 0.0])).tolist()
    [5592405, 11184810, 1]
    """
    weights = np.maximum(np.asarray(probabilities, np.float64), 0)
    weights = weights / weights.max()  # their sum may be too small to divide by
    spare = TOTAL - len(weights)
    frequencies = 1 + np.floor(weights * (spare / weights.sum())).astype(np.int64)
    frequencies[frequencies.argmax()] += TOTAL - frequencies.sum()
    return frequencies


def fit_tables(
    counts: list[NDArray[np.float64]],
    prior: list[NDArray[np.float64]],
    weight: float,
    coded_from: int,
) -> Tables:
    """Tables fitted to counts of symbols in each row, smoothed by a `prior` shape.

    `counts` and `prior`: for each row (2 * radius + 2,), symbols from -radius up, then the escape.
    The prior counts as `weight` symbols.
    """
    fitted = [
        integer_frequencies(seen + weight * shape / shape.sum())
        for seen, shape in zip(counts[coded_from:], prior[coded_from:], strict=True)
    ]
    radius = np.array([(len(shape) - 2) // 2 for shape in prior], np.int64)
    return Tables(radius, np.concatenate(fitted), coded_from)

"""Fits the frequency table of each row to the symbols of the row."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, exp

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.coder import SymbolArray, TableRows
from nacre.entropy.tables import Tables, fit_tables
from nacre.models.family import Network
from nacre.models.parts.rows import ROWS, Rows, row_radius, row_scale
from nacre.tools.export.samples import Sample

SKIP_BELOW = 1e-3  # rows whose symbols have a smaller mean square are not coded
SKIP_FROM_SYMBOLS = 1000  # rows with fewer symbols have no reliable mean square
PRIOR_SYMBOLS = 256.0  # weight of the prior shape, in symbols, for a row by scale
PRIOR_SYMBOLS_CHANNEL = PRIOR_SYMBOLS / 8  # for a row by channel
TAIL = 0.01  # share of a Laplacian in the prior shape: real tails are heavier than a Gaussian's

Floats = NDArray[np.float64]


def shape(scale: float, radius: int) -> Floats:
    """(2 * radius + 2,) probabilities of -radius..radius, then of all symbols beyond.

    A Gaussian with a thin Laplacian tail.
    """

    def gaussian(x: float) -> float:
        return 0.5 * (1 + erf(x / scale * 0.5**0.5))

    def laplacian(x: float) -> float:
        tail = 0.5 * exp(-abs(x) / scale * 2**0.5)
        return tail if x < 0 else 1 - tail

    edges = np.arange(-radius - 0.5, radius + 1)
    below = np.array([(1 - TAIL) * gaussian(e) + TAIL * laplacian(e) for e in edges])
    return np.append(np.diff(below), max(2 * below[0], 1e-12))


def histogram(symbols: SymbolArray, radius: int) -> Floats:
    """(2 * radius + 2,) counts of the symbols -radius..radius, then of all symbols beyond."""
    inside = symbols[np.abs(symbols) <= radius]
    counts = np.bincount(inside + radius, minlength=2 * radius + 1).astype(np.float64)
    return np.append(counts, len(symbols) - len(inside))


def fit(network: Network, samples: Sequence[Sample]) -> dict[str, Tables]:
    """The tables of every plane."""
    found = {}
    for plane, rows in network.rows().items():
        symbols = np.concatenate([s[plane].symbols for s in samples if plane in s])
        numbers = np.concatenate([s[plane].rows for s in samples if plane in s])
        found[plane] = (fit_by_scale if rows.by_scale else fit_by_channel)(rows, symbols, numbers)
    return found


def fit_by_scale(rows: Rows, symbols: SymbolArray, numbers: TableRows) -> Tables:
    """Tables with equal frequencies for a symbol and its negative; rows with almost only zeros are not coded.

    The criterion is the error of skipping a row, its mean square: a large symbol where the scale network
    expected none is rare, but visible.
    """
    counts, shapes, coded = [], [], []
    seen_in = _by_row(symbols, numbers, len(rows.scales))
    for row, (scale, seen) in enumerate(zip(rows.scales, seen_in, strict=True)):
        radius = row_radius(scale)
        count = histogram(seen, radius)
        count[:-1] = (count[:-1] + count[-2::-1]) / 2
        counts.append(count)
        shapes.append(shape(scale, radius))
        if len(seen) > SKIP_FROM_SYMBOLS and np.mean(np.square(seen, dtype=float)) > SKIP_BELOW:
            coded.append(row)
    return fit_tables(counts, shapes, PRIOR_SYMBOLS, min(coded, default=0))


def fit_by_channel(rows: Rows, symbols: SymbolArray, numbers: TableRows) -> Tables:
    """Tables as wide as the range of the symbols."""
    counts, shapes = [], []
    seen_in = _by_row(symbols, numbers, len(rows.scales))
    for expected, seen in zip(rows.scales, seen_in, strict=True):
        spread = float(np.sqrt(np.mean(seen.astype(float) ** 2))) if len(seen) else 0.0
        scale = max(expected, spread, row_scale(0))
        radius = row_radius(scale)
        counts.append(histogram(seen, radius))
        shapes.append(shape(min(scale, row_scale(ROWS - 1)), radius))
    return fit_tables(counts, shapes, PRIOR_SYMBOLS_CHANNEL, 0)


def _by_row(symbols: SymbolArray, numbers: TableRows, rows: int) -> list[SymbolArray]:
    """The symbols of each row, in order."""
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=rows))
    return np.split(symbols[order], ends[:-1])

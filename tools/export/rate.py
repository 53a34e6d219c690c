"""Measures the rate lost by exact rows against the float prior, and the rate saved by fitted tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nacre.entropy.coder import SymbolArray
from nacre.entropy.tables import ESCAPE_BITS, Tables
from nacre.models.family import Network
from nacre.models.parts.rate import gaussian_bits
from nacre.models.parts.rows import LOG2_MAX, LOG2_MIN, ROW_STEP
from nacre.tools.export.fitting import histogram
from nacre.tools.export.samples import Sample


@dataclass(frozen=True)
class PlaneRate:
    """Bits of one set of symbols under three models."""

    float_scales: float  # Gaussians of the float prior
    exact_rows: float  # Gaussians of the exact rows; for rows by channel, equal to float_scales
    tables: float  # the fitted tables


def measure(
    network: Network, tables: Mapping[str, Tables], samples: Sequence[Sample]
) -> dict[str, PlaneRate]:
    """The rates of `samples` by plane; the tables must have been fitted to other pictures."""
    found = {}
    for plane, rows in network.rows().items():
        if all(plane not in s for s in samples):
            continue
        symbols, numbers, log2_scale = (
            np.concatenate([getattr(s[plane], part) for s in samples])
            for part in ("symbols", "rows", "log2_scale")
        )
        floats = _gaussian(symbols, log2_scale.clip(LOG2_MIN, LOG2_MAX))
        exact = _gaussian(symbols, LOG2_MIN + ROW_STEP * numbers) if rows.by_scale else floats
        of_plane = tables[plane]
        coded = sum(
            _table_bits(symbols[numbers == row], of_plane, row)
            for row in range(of_plane.coded_from, of_plane.rows)
        )
        found[plane] = PlaneRate(floats, exact, coded)
    return found


def report(rates: Mapping[str, PlaneRate]) -> str:
    """The figures as one line."""
    exact, floats, tables = (
        sum(getattr(rate, part) for rate in rates.values())
        for part in ("exact_rows", "float_scales", "tables")
    )
    of_planes = ", ".join(
        f"{plane} {rate.tables / rate.exact_rows - 1:+.1%} and is {rate.exact_rows / exact:.1%} of all"
        for plane, rate in rates.items()
    )
    return (
        f"exact rows {exact / floats - 1:+.2%} of the rate, "
        f"fitted tables {tables / exact - 1:+.2%} of the rate ({of_planes})"
    )


def _gaussian(symbols: SymbolArray, log2_scale: NDArray[np.floating]) -> float:
    x, scale = torch.from_numpy(symbols).double(), torch.from_numpy(np.exp2(log2_scale)).double()
    return float(gaussian_bits(x, scale).sum())


def _table_bits(symbols: SymbolArray, tables: Tables, row: int) -> float:
    """Bits of (n,) symbols of one row, escapes included."""
    count = histogram(symbols, int(tables.radius[row]))
    return float((count * tables.bits(row)).sum() + ESCAPE_BITS * count[-1])

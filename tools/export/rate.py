"""Measures the rate that the exact scale network loses and the fitted tables save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nacre.entropy.coder import Symbols
from nacre.entropy.tables import ESCAPE_BITS, Tables
from nacre.models.image import ImageModel, gaussian_bits
from nacre.models.scales import LOG2_MAX, LOG2_MIN, ROW_STEP, ROWS
from nacre.models.weights_file import QUALITIES, CodingTables
from nacre.tools.export.fitting import histogram
from nacre.tools.export.samples import Sample


@dataclass(frozen=True)
class Rate:
    """Bits of the same symbols under five models, summed over samples."""

    float_scales: float  # y, Gaussians of the float scale network
    exact_rows: float  # y, Gaussians of the rows of the exact scale network
    tables_y: float  # y, the fitted tables
    hyper_gaussian: float  # z, Gaussians
    tables_z: float  # z, the fitted tables

    def __str__(self) -> str:
        lost = self.exact_rows / self.float_scales - 1
        before = self.exact_rows + self.hyper_gaussian
        after = self.tables_y + self.tables_z
        return (
            f"integer scale network {lost:+.2%} of the rate of y, "
            f"fitted tables {after / before - 1:+.2%} of the rate "
            f"(z: {self.tables_z / self.hyper_gaussian - 1:+.1%}, and z is {self.hyper_gaussian / before:.1%})"
        )


def _table_bits(symbols: Symbols, tables: Tables, row: int) -> float:
    """Bits of (n,) symbols of one row, escapes included."""
    count = histogram(symbols, int(tables.radius[row]))
    return float((count * tables.bits(row)).sum() + ESCAPE_BITS * count[-1])


def measure(network: ImageModel, tables: CodingTables, samples: Sequence[Sample]) -> Rate:
    """The rates of `samples`; the tables must have been fitted to other pictures."""
    totals = np.zeros(5)
    for s in samples:
        symbols = torch.from_numpy(s.y).double()
        exact = LOG2_MIN + ROW_STEP * s.rows.astype(np.float64)
        for i, log2_scale in enumerate((s.log2_scale.clip(LOG2_MIN, LOG2_MAX), exact)):
            totals[i] += float(
                gaussian_bits(symbols, torch.exp2(torch.as_tensor(log2_scale))).sum()
            )
        for row in range(tables.y.coded_from, ROWS):
            totals[2] += _table_bits(s.y[s.rows == row], tables.y, row)
        with torch.inference_mode():
            scale_z = network.hyper_scale(torch.tensor([s.t]))[0, :, 0].double()
        totals[3] += float(gaussian_bits(torch.from_numpy(s.z).double(), scale_z).sum())
        rows = tables.z_rows[round(s.t * (QUALITIES - 1))]
        totals[4] += sum(_table_bits(s.z[c], tables.z, int(rows[c])) for c in range(len(rows)))
    return Rate(*totals)

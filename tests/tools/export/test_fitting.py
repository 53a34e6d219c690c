"""Tables follow the symbols of their rows, and the prior shape where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.entropy.tables import TOTAL
from nacre.models.parts.rows import ROWS
from nacre.tools.export.fitting import fit_y, histogram, row_radius, row_scale, shape
from nacre.tools.export.samples import Sample


def sampled(symbols, rows) -> Sample:
    log2_scale = np.zeros(len(rows), np.float32)
    return Sample(0.5, np.zeros((1, 1), np.int32), symbols, rows, log2_scale)


def test_symbols_beyond_the_radius_are_counted_together():
    assert histogram(np.array([-9, -1, 0, 0, 1, 2, 8], np.int32), 1).tolist() == [1, 2, 1, 3]


@pytest.mark.parametrize("row", [30, 45, ROWS - 1])
def test_the_prior_shape_is_a_distribution_of_the_scale_of_its_row(row):
    scale = row_scale(row)
    radius = row_radius(scale)
    probabilities = shape(scale, radius)
    assert len(probabilities) == 2 * radius + 2
    assert abs(probabilities.sum() - 1) < 1e-3
    variance = (probabilities[:-1] * np.arange(-radius, radius + 1) ** 2).sum()
    assert abs(variance - scale**2 - 1 / 12) < 0.05 * scale**2  # that of rounding is 1/12


def test_tables_are_even_and_follow_what_was_seen():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.array([30, 5], np.uint8), [20_000, 2000])
    symbols = np.concatenate([rng.geometric(0.3, 20_000) - 1, np.zeros(2000)]).astype(np.int32)
    tables = fit_y([sampled(symbols[::2], rows[::2]), sampled(symbols[1::2], rows[1::2])])
    assert tables.coded_from == 30  # the only row with symbols other than zero
    table, radius = tables.of_row(30) / TOTAL, int(tables.radius[30])
    assert np.allclose(table[:-1], table[-2::-1], atol=1e-4)
    assert abs(table[radius] - 0.3) < 0.02
    assert abs(table[radius + 1] - 0.3 * 0.7 / 2) < 0.02

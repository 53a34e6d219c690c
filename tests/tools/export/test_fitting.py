"""Tables follow the symbols of their rows, and the prior shape where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.entropy.tables import TOTAL
from nacre.models.parts.rows import ROWS, Rows, row_radius, row_scale, rows_by_scale
from nacre.tools.export.fitting import fit_by_channel, fit_by_scale, histogram, shape


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
    tables = fit_by_scale(rows_by_scale(), symbols, rows)
    assert tables.coded_from == 30  # the only row with symbols other than zero
    table, radius = tables.of_row(30) / TOTAL, int(tables.radius[30])
    assert np.allclose(table[:-1], table[-2::-1], atol=1e-4)
    assert abs(table[radius] - 0.3) < 0.02
    assert abs(table[radius + 1] - 0.3 * 0.7 / 2) < 0.02


def test_tables_of_channels_are_as_wide_as_their_symbols_and_need_not_be_even():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.array([0, 1], np.uint8), [5000, 5000])
    symbols = np.concatenate([rng.geometric(0.5, 5000), rng.normal(0, 20, 5000)]).astype(np.int32)
    tables = fit_by_channel(Rows((1.0, 1.0, 1.0), False), symbols, rows)
    assert tables.coded_from == 0 and tables.rows == 3  # one that was never seen
    table, radius = tables.of_row(0) / TOTAL, int(tables.radius[0])
    assert table[radius + 1] > 0.4 > 0.05 > table[radius - 1]
    assert tables.radius[1] > 100 > tables.radius[0]

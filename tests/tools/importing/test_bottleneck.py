"""Tables of an entropy bottleneck: from stored CDFs and from the density, which agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.entropy.errors import UsageError
from nacre.entropy.tables import MAX_RADIUS, TOTAL
from nacre.models.parts.rows import row_radius
from nacre.tools.importing.bottleneck import (
    Distribution,
    channel_tables,
    distributions,
    gaussian_tables,
)
from tests.tools.importing.checkpoints import cumulative, density

CHANNELS = 5


def test_a_density_gives_the_differences_of_its_cumulative():
    tensors = density(CHANNELS)
    for channel, found in enumerate(distributions(tensors)):
        median = tensors["quantiles"][channel, 0, 1]
        symbols = found.first + torch.arange(len(found.probabilities) - 1)
        edges = torch.stack([symbols - 0.5, symbols + 0.5]) + median
        below = cumulative(tensors, edges.flatten().expand(CHANNELS, 1, -1))[channel, 0]
        wanted = below.unflatten(0, (2, -1)).diff(dim=0)[0].numpy()
        assert len(symbols) > 4
        assert np.abs(found.probabilities[:-1] - wanted).max() < 2**-15
        assert found.probabilities.sum() == pytest.approx(1, abs=1e-2)


def test_stored_cdfs_come_first():
    tensors = density(2)
    tensors["_quantized_cdf"] = torch.tensor(
        [[0, 1000, 60000, 65000, 65536], [0, 65535, 65536, 0, 0]]
    )
    tensors["_cdf_length"], tensors["_offset"] = torch.tensor([5, 3]), torch.tensor([-1, 7])
    wide, narrow = distributions(tensors)
    assert wide.first == -1 and (wide.probabilities * 65536).tolist() == [1000, 59000, 5000, 536]
    assert narrow.first == 7 and (narrow.probabilities * 65536).tolist() == [65535, 1]
    tables = channel_tables([wide, narrow])
    assert tables.radius.tolist() == [1, 7]
    shares = tables.of_row(0) / TOTAL * 65536
    assert np.abs(shares - [1000, 59000, 5000, 536]).max() < 1
    assert tables.of_row(1)[14] / TOTAL > 0.999


def test_symbols_beyond_the_largest_escape():
    flat = Distribution(-600, np.full(1002, 1 / 1002))
    tables = channel_tables([flat])
    assert tables.radius.tolist() == [MAX_RADIUS]
    escape = tables.of_row(0)[-1] / TOTAL
    assert escape == pytest.approx(1 - (2 * MAX_RADIUS + 1) / 1002, abs=1e-3)


def test_gaussians_have_no_symbol_under_the_floor():
    scales = (0.11, 1.0, 40.0)
    tables = gaussian_tables(scales, [row_radius(scale) for scale in scales])
    for row, scale in enumerate(scales):
        frequencies, radius = tables.of_row(row) / TOTAL, int(tables.radius[row])
        symbols = np.arange(-radius, radius + 1)
        squares = (frequencies[:-1] * symbols**2).sum()
        of_floor = 2**-16 * (symbols**2).sum()
        assert frequencies.min() > 0.9 * 2**-16 and frequencies.argmax() == radius
        if scale >= 1:
            assert squares - of_floor == pytest.approx(scale**2 + 1 / 12, rel=0.02)


def test_what_is_no_bottleneck_is_refused():
    for tensors in ({}, {"quantiles": torch.zeros(2, 1, 3)}):
        with pytest.raises(UsageError, match="no entropy bottleneck"):
            distributions(tensors)
    falling = {
        "_quantized_cdf": torch.tensor([[0, 9, 3, 65536]]),
        "_cdf_length": torch.tensor([4]),
        "_offset": torch.tensor([0]),
    }
    with pytest.raises(UsageError, match="does not rise"):
        distributions(falling)

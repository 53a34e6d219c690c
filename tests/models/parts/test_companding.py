"""Companding: bounds, and that it is undone."""

from __future__ import annotations

import torch

from nacre.models.parts.companding import DEVIATION, LIMIT, compress, expand


def test_everything_fits_a_signed_byte():
    x = torch.tensor([0.0, 1.0, -300.0, 1e6, -1e30, float("inf")])
    symbols = compress(x).round()
    assert symbols.abs().max() <= 127
    assert torch.equal(symbols.to(torch.int8).float(), symbols)
    assert expand(torch.tensor([1e9, -1e9, LIMIT])).isfinite().all()


def test_expansion_undoes_compression():
    x = torch.linspace(-3.5 * DEVIATION, 3.5 * DEVIATION, 1001)
    assert (expand(compress(x)) - x).abs().max() < 0.1
    assert (expand(compress(x / 30)) - x / 30).abs().max() < 1e-4
    assert (compress(x).diff() > 0).all()


def test_a_small_step_stays_a_step():
    assert abs(compress(torch.tensor(1.0)) - 1) < 1e-4


def test_a_gaussian_becomes_uniform():
    """Source: arXiv:2412.09405."""
    torch.manual_seed(0)
    y = compress(DEVIATION * torch.randn(100_000))
    share = torch.histc(y, 10, -LIMIT, LIMIT) / len(y)
    assert (share - 0.1).abs().max() < 0.005

"""Divisive normalisation is what its formula says."""

from __future__ import annotations

import torch

from nacre.models.parts.gdn import BETA_LEAST, DivisiveNorm


@torch.no_grad()
def test_channels_are_divided_by_a_norm_of_all():
    torch.manual_seed(0)
    norm, x = DivisiveNorm(3), torch.randn(2, 3, 4, 5)
    for p in norm.parameters():
        torch.nn.init.normal_(p)
    beta, gamma = norm.root_beta**2 + BETA_LEAST, norm.root_gamma**2
    for i in range(3):
        power = beta[i] + sum(gamma[i, j] * x[:, j] ** 2 for j in range(3))
        assert torch.allclose(norm(x)[:, i], x[:, i] / power.sqrt(), atol=1e-6)


def test_nothing_overflows():
    norm = DivisiveNorm(2)
    for value in (0.0, 1e-20, 1e15):
        assert norm(torch.full((1, 2, 1, 1), value)).isfinite().all()


def test_a_new_norm_learns_all_of_gamma():
    norm = DivisiveNorm(3)
    norm(torch.randn(1, 3, 4, 4)).square().sum().backward()
    assert norm.root_gamma.grad.abs().min() > 0

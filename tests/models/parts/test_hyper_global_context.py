"""The global context of the first slice: each half of the hyper features asks the other half."""

from __future__ import annotations

import torch

from nacre.models.parts.hyper_global_context import HyperGlobalContext

FEATURES, CHANNELS, SIDES = 6, 4, (3, 5)
FIRST = (torch.arange(SIDES[0])[:, None] + torch.arange(SIDES[1])) % 2 == 1


def test_each_half_asks_the_other():
    net = HyperGlobalContext(FEATURES, CHANNELS, 1).double().requires_grad_(False)
    features = torch.randn(1, FEATURES, *SIDES, dtype=torch.double)
    found = torch.zeros_like(features)
    for asking in (FIRST, ~FIRST):
        answering = (~asking).nonzero().tolist()
        queries = net.attention.queries(features * asking)[0]
        keys, values = (
            part(features * ~asking)[0] for part in (net.attention.keys, net.attention.values)
        )
        k = torch.stack([keys[:, r, c] for r, c in answering]).softmax(0)
        v = torch.stack([values[:, r, c] for r, c in answering])
        for row, column in asking.nonzero().tolist():
            found[0, :, row, column] = (k @ queries[:, row, column].softmax(0)) @ v
    want = net.gate(net.join(found))
    assert torch.allclose(net(features, FIRST), want)
    assert want.shape == (1, CHANNELS, *SIDES)


def test_one_position_is_finite():
    net = HyperGlobalContext(FEATURES, CHANNELS, 2)
    assert net(torch.randn(1, FEATURES, 1, 1), FIRST[:1, :1]).isfinite().all()

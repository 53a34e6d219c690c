"""Token mixing blocks keep the shape, and look as far as they say."""

from __future__ import annotations

import torch

from nacre.models.parts.token_mixing import TokenMixing

CHANNELS, SIDE = 6, 11


def test_a_block_looks_as_far_as_it_says():
    net = TokenMixing(CHANNELS).double().requires_grad_(False)
    x = torch.randn(1, CHANNELS, SIDE, SIDE, dtype=torch.double)
    other = x.clone()
    other[0, 0, 0, 0] += 1
    changed = (net(x) != net(other)).any(1)[0]
    wanted = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    wanted[: TokenMixing.REACH + 1, : TokenMixing.REACH + 1] = True
    assert torch.equal(changed, wanted)


def test_it_is_two_residual_branches():
    net = TokenMixing(CHANNELS).double().requires_grad_(False)
    x = torch.randn(1, CHANNELS, 3, 4, dtype=torch.double)
    norm, bottleneck, wide, leave = net.mix
    u = norm(x)
    mixed = x + leave(wide(u + bottleneck.branch(u)))
    normal = net.gate.norm(mixed)
    assert torch.allclose(net(x), mixed + normal * net.gate.gate(normal))

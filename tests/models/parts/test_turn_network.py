"""The network that turns share: the factors of a turn come in between its two halves."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nacre.models.parts.turn_network import TurnBlock, TurnNetwork, turn_factors


def randomise(module):
    torch.manual_seed(0)
    for parameter in module.requires_grad_(False).parameters():
        parameter.copy_(torch.randn_like(parameter) / 4)
    return module


def test_a_block_is_a_depth_wise_convolution_and_an_mlp():
    block, x = randomise(TurnBlock(5)), torch.randn(2, 5, 4, 3)
    kernel = torch.zeros(5, 5, 3, 3)
    for channel in range(5):
        kernel[channel, channel] = block.mix.weight[channel, 0]
    wide = F.leaky_relu(block.widen(F.conv2d(x, kernel, block.mix.bias, padding=1)))
    assert wide.shape[1] == 10
    assert torch.allclose(block(x), x + block.narrow(wide), atol=1e-5)


@pytest.mark.parametrize(("blocks", "before"), [(1, 1), (3, 2), (4, 2), (5, 3), (7, 4)])
def test_factors_come_after_the_first_half(blocks, before):
    network = TurnNetwork(4, 3, blocks)
    assert (len(network.before), len(network.after)) == (before, blocks - before)
    randomise(network)
    x, factors = torch.randn(1, 4, 3, 3), torch.randn(4, 1, 1)
    want = x
    for k, block in enumerate([*network.before, *network.after]):
        want = block(want)
        if k + 1 == before:
            want = want * factors[None]
    assert torch.allclose(network(x, factors), network.leave(want), atol=1e-5)


def test_new_factors_change_nothing():
    factors = turn_factors(3, 4)
    assert [tuple(f.shape) for f in factors] == [(4, 1, 1)] * 3
    assert all((f == 1).all() for f in factors)

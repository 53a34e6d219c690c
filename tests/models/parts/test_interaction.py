"""Branches weigh each other: a map of channels against a map of positions, each from the other branch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nacre.models.parts.interaction import AdaptiveChannelContext, AdaptiveGlobalContext


def channel_weight(module, x):
    """(C,) from averages over all positions, by matrix products."""
    average = x[0].flatten(1).sum(1) / x[0, 0].numel()
    hidden = F.gelu(module.narrow.weight[..., 0, 0] @ average + module.narrow.bias)
    return torch.sigmoid(module.widen.weight[..., 0, 0] @ hidden + module.widen.bias)


def position_weight(module, x, row, column):
    """One number, from the channels at a position."""
    here = x[0, :, row, column]
    hidden = F.gelu(module.narrow.weight[..., 0, 0] @ here + module.narrow.bias)
    return torch.sigmoid(module.leave.weight[0, :, 0, 0] @ hidden + module.leave.bias[0])


def surroundings(branch, x):
    around = torch.stack(
        [
            F.conv2d(x[:, k : k + 1], branch.around.weight[k : k + 1], padding=1)[:, 0]
            + branch.around.bias[k]
            for k in range(x.shape[1])
        ],
        1,
    )
    mixed = torch.einsum("oi,bihw->bohw", branch.leave.weight[..., 0, 0], around)
    return F.gelu(mixed + branch.leave.bias[:, None, None])


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
@torch.no_grad()
def test_the_channel_context_weighs_its_channels_by_position_and_its_surroundings_by_channel(size):
    torch.manual_seed(0)
    module, x = AdaptiveChannelContext(6, 16), torch.randn(1, 6, *size)
    channels = F.gelu(module.mix(F.gelu(module.enter(x))))
    around, found = surroundings(module.surroundings, x), module(x)
    for r in range(size[0]):
        for c in range(size[1]):
            want = channels[0, :, r, c] * position_weight(module.position_map, around, r, c)
            want = want + around[0, :, r, c] * channel_weight(module.channel_map, channels)
            assert torch.allclose(found[0, :, r, c], want, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 5)])
@torch.no_grad()
def test_the_global_context_weighs_attention_by_channel_and_its_surroundings_by_position(size):
    torch.manual_seed(0)
    module, x = AdaptiveGlobalContext(6, 16, heads=2), torch.randn(1, 6, *size)
    everywhere = F.conv2d(module.attention(x), module.leave.weight, module.leave.bias, padding=2)
    around, found = surroundings(module.surroundings, x), module(x)
    for r in range(size[0]):
        for c in range(size[1]):
            want = everywhere[0, :, r, c] * channel_weight(module.channel_map, around)
            weight = position_weight(module.position_map, everywhere, r, c)
            want = want + around[0, :, r, c] * weight
            assert torch.allclose(found[0, :, r, c], want, atol=1e-5)


@torch.no_grad()
def test_the_global_context_sees_the_whole_plane():
    torch.manual_seed(0)
    module, x = AdaptiveGlobalContext(6, 16, heads=2), torch.randn(1, 6, 20, 20)
    other = x.clone()
    other[..., 19, 19] += 1
    assert (module(x) != module(other))[0, :, 0, 0].any()

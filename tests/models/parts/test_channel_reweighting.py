"""Reweighting is attention between channels, written here as loops; norms and gates are bounded."""

from __future__ import annotations

import torch

from nacre.models.parts.channel_gate import ChannelGate, ChannelLayerNorm
from nacre.models.parts.channel_reweighting import ChannelReweighting

CHANNELS = 5


def test_channels_attend_to_channels():
    net = ChannelReweighting(CHANNELS).double().requires_grad_(False)
    x = torch.randn(1, CHANNELS, 2, 3, dtype=torch.double)
    q, k, v = net.project(net.norm(x))[0].chunk(3)
    mixed = torch.zeros_like(x)
    for channel in range(CHANNELS):
        means = [(q[channel] * k[other]).mean() for other in range(CHANNELS)]
        for other, weight in enumerate(torch.stack(means).softmax(0)):
            mixed[0, channel] += weight * v[other]
    assert torch.allclose(net(x), net.gate(x + net.leave(mixed)))


def test_a_larger_tile_of_the_same_content_is_weighed_alike():
    net = ChannelReweighting(CHANNELS).double().requires_grad_(False)
    x = torch.randn(1, CHANNELS, 1, 1, dtype=torch.double)
    small, large = (net(x.expand(1, CHANNELS, side, side)) for side in (7, 14))
    assert torch.allclose(small[..., 3, 3], large[..., 7, 7])


def test_a_norm_takes_the_channels_of_a_position():
    x = torch.randn(2, CHANNELS, 3, 4) * 100 + 7
    normal = ChannelLayerNorm(CHANNELS)(x)
    want = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
    assert torch.allclose(normal, want, atol=1e-4)


def test_what_a_gate_adds_is_bounded():
    x = torch.randn(1, CHANNELS, 3, 4, dtype=torch.double) * 1e6
    added = ChannelGate(CHANNELS).double()(x) - x
    assert added.abs().max() <= CHANNELS**0.5

"""Partial convolutions: the first quarter of the channels sees neighbours, all channels see each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from nacre.models.parts.partial_convolution import PartialConvolutionBlock


def random_block(channels: int) -> PartialConvolutionBlock:
    torch.manual_seed(0)
    block = PartialConvolutionBlock(channels).requires_grad_(False)
    for parameter in block.parameters():
        parameter.copy_(torch.randn_like(parameter) / 4)
    return block


def test_it_is_a_full_convolution_with_the_identity_in_three_quarters():
    block, x = random_block(10), torch.randn(2, 10, 5, 6)
    kernel, bias = torch.zeros(10, 10, 3, 3), torch.zeros(10)
    kernel[:2, :2], bias[:2] = block.mix.weight, block.mix.bias
    for channel in range(2, 10):
        kernel[channel, channel, 1, 1] = 1
    mixed = F.conv2d(x, kernel, bias, padding=1)
    wide = torch.einsum("oi,bihw->bohw", block.widen.weight[..., 0, 0], mixed)
    wide = F.leaky_relu(wide + block.widen.bias[:, None, None])
    narrow = torch.einsum("oi,bihw->bohw", block.narrow.weight[..., 0, 0], wide)
    want = x + narrow + block.narrow.bias[:, None, None]
    assert torch.allclose(block(x), want, atol=1e-5)
    assert block.widen.out_channels == 40


def test_only_the_first_quarter_is_seen_by_neighbours():
    block, x = random_block(8), torch.randn(1, 8, 5, 5)
    for channel, spreads in ((1, True), (2, False), (7, False)):
        other = x.clone()
        other[0, channel, 2, 2] += 1
        changed = (block(other) - block(x)).abs().sum(1)[0] > 1e-6
        assert changed[2, 2]
        assert bool(changed[1, 1]) is spreads


def test_a_new_block_is_near_the_identity():
    x = torch.randn(1, 16, 4, 4)
    assert (PartialConvolutionBlock(16)(x) - x).abs().max() < 0.05

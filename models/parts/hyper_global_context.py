"""A global context for the first slice, from the hyper features alone.

Source: the hyperprior-guided global correlation prediction of MLICv2, arXiv:2504.19119.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.channel_gate import ChannelGate
from nacre.models.parts.linear_attention import LinearAttention


class HyperGlobalContext(nn.Module):
    """Features (B, F, h, w) to a context (B, C, h, w): each half of a checkerboard attends to the other."""

    def __init__(self, features: int, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = LinearAttention(features, heads)
        self.join = nn.Conv2d(features, channels, 3, padding=1)
        self.gate = ChannelGate(channels)

    def forward(self, features: Tensor, first: Tensor) -> Tensor:
        """`first` (h, w) bool: the positions of one half."""
        one, other = features * first, features * ~first
        of_first = self.attention(one, other, other, ~first)
        of_second = self.attention(other, one, one, first)
        context: Tensor = self.gate(self.join(torch.where(first, of_first, of_second)))
        return context

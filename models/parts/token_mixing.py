"""Token mixing blocks: transforms whose positions are mixed by depth-wise convolutions alone.

Source: the simple token mixing block of MLICv2, arXiv:2504.19119, in the form of MetaFormer (Yu et al.,
arXiv:2111.11418).
"""

from __future__ import annotations

from torch import Tensor, nn

from nacre.models.parts.blocks import depthwise, pointwise
from nacre.models.parts.channel_gate import ChannelGate, ChannelLayerNorm


class DepthwiseBottleneck(nn.Module):
    """(B, C, h, w) to the same shape: pointwise, depth-wise 3x3, pointwise, residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            pointwise(channels, channels),
            nn.GELU(),
            depthwise(channels),
            nn.GELU(),
            pointwise(channels, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.branch(x)
        return x + added


class TokenMixing(nn.Module):
    """(B, C, h, w) to the same shape; looks REACH positions beyond a position.

    A residual branch of norm, bottleneck, depth-wise 5x5 and pointwise layers mixes positions; then a gate
    weighs channels.
    """

    REACH = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            ChannelLayerNorm(channels),
            DepthwiseBottleneck(channels),
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels),
            pointwise(channels, channels),
        )
        self.gate = ChannelGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.gate(x + self.mix(x))
        return mixed

"""A normalised gate: channels are weighted by factors computed from all channels around a position.

Source: the gate block of MLICv2, arXiv:2504.19119.
"""

from __future__ import annotations

from torch import Tensor, nn

from nacre.models.parts.blocks import depthwise, pointwise


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, h, w), at each position by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ChannelGate(nn.Module):
    """(B, C, h, w) to the same shape: x + norm(x) * gate, with a gate in 0..1. The added term is bounded."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(channels)
        self.gate = nn.Sequential(
            pointwise(channels, channels),
            nn.GELU(),
            depthwise(channels),
            nn.GELU(),
            pointwise(channels, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        normal = self.norm(x)
        return x + normal * self.gate(normal)

"""Channel reweighting: the channels of a context attend to each other.

Source: the context reweighting of MLICv2, arXiv:2504.19119.
Differs: a logit is the mean of query times key over the positions. Their sum would sharpen the weights of
larger tiles.
"""

from __future__ import annotations

from torch import Tensor, nn

from nacre.models.parts.blocks import pointwise
from nacre.models.parts.channel_gate import ChannelGate, ChannelLayerNorm


class ChannelReweighting(nn.Module):
    """(B, C, h, w) to the same shape: residual attention over channels, then a gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(channels)
        self.project = pointwise(channels, 3 * channels)
        self.leave = pointwise(channels, channels)
        self.gate = ChannelGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = self.project(self.norm(x)).flatten(2).chunk(3, 1)  # (B, C, h * w)
        weights = (queries @ keys.transpose(1, 2) / queries.shape[2]).softmax(2)  # (B, C, C)
        mixed = (weights.to(values.dtype) @ values).reshape(x.shape)
        reweighted: Tensor = self.gate(x + self.leave(mixed))
        return reweighted

"""Two branches that gate each other: one sees channels or the whole plane, the other the neighbourhood.

Each branch is multiplied by a map computed from the other branch, one map of channels and one of positions. The
products are added.

Sources: the interaction, Chen et al., arXiv:2308.03364; as contexts of channel slices, S2LIC, arXiv:2403.14471.
Differs: S2LIC publishes a figure of these contexts, but no layers. The order of the layers follows the figure.
Chosen here: both branches map the channels of earlier slices to the channels of the context; maps shrink to an
eighth and a sixteenth as in arXiv:2308.03364. Batch normalisations are left out: after training they become
part of the convolution before them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.deformable import DeformableAttention

CHANNEL_SHRINK, POSITION_SHRINK = 8, 16


class ChannelMap(nn.Module):
    """(B, C, h, w) to (B, C, 1, 1) in 0..1: a weight for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = max(channels // CHANNEL_SHRINK, 1)
        self.narrow = nn.Conv2d(channels, width, 1)
        self.widen = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        average = x.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.widen(F.gelu(self.narrow(average))))


class PositionMap(nn.Module):
    """(B, C, h, w) to (B, 1, h, w) in 0..1: a weight for each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = max(channels // POSITION_SHRINK, 1)
        self.narrow = nn.Conv2d(channels, width, 1)
        self.leave = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.leave(F.gelu(self.narrow(x))))


class SurroundingBranch(nn.Module):
    """(B, I, h, w) to (B, O, h, w): a depth-wise 3x3 and a pointwise convolution."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in)
        self.leave = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.leave(self.around(x)))


class AdaptiveChannelContext(nn.Module):
    """ACCTX: earlier slices (B, I, h, w) to (B, O, h, w); two 3x3 convolutions and the neighbourhood."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.mix = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.surroundings = SurroundingBranch(channels_in, channels_out)
        self.channel_map, self.position_map = ChannelMap(channels_out), PositionMap(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        channels = F.gelu(self.mix(F.gelu(self.enter(x))))
        around = self.surroundings(x)
        mixed: Tensor = channels * self.position_map(around) + around * self.channel_map(channels)
        return mixed


class AdaptiveGlobalContext(nn.Module):
    """AGCTX: earlier slices (B, I, h, w) to (B, O, h, w); deformable attention and the neighbourhood."""

    def __init__(self, channels_in: int, channels_out: int, heads: int) -> None:
        super().__init__()
        self.attention = DeformableAttention(channels_in, heads)
        self.leave = nn.Conv2d(channels_in, channels_out, 5, padding=2)
        self.surroundings = SurroundingBranch(channels_in, channels_out)
        self.channel_map, self.position_map = ChannelMap(channels_out), PositionMap(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        everywhere = self.leave(self.attention(x))
        around = self.surroundings(x)
        mixed: Tensor = everywhere * self.channel_map(around) + around * self.position_map(
            everywhere
        )
        return mixed

"""One network for several turns, each with its own factors of the channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import Precise, depthwise, pointwise
from nacre.models.parts.partial_convolution import start_small

RATIO = 2  # of the width between the two pointwise layers to the channels


class TurnBlock(nn.Module):
    """A depth-wise 3x3 convolution, then an MLP, with a skip: (B, C, h, w) to the same shape.

    Source: HPCM, arXiv:2507.19125. Differs: starts near the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = depthwise(channels)
        self.widen = pointwise(channels, RATIO * channels)
        self.narrow = pointwise(RATIO * channels, channels)
        start_small(self.narrow)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.leaky_relu(self.widen(self.mix(x)), inplace=True))


class TurnNetwork(nn.Module):
    """Blocks, the turn's factors, blocks, and a last layer: (B, C, h, w) to (B, O, h, w).

    With an odd number of blocks the first half has one more. Source: HPCM, arXiv:2507.19125.
    """

    def __init__(self, channels: int, channels_out: int, blocks: int) -> None:
        super().__init__()
        self.before = nn.Sequential(*[TurnBlock(channels) for _ in range(blocks - blocks // 2)])
        self.after = nn.Sequential(*[TurnBlock(channels) for _ in range(blocks // 2)])
        self.leave = Precise(channels, channels_out)

    def forward(self, x: Tensor, factors: Tensor) -> Tensor:
        """`factors` (C, 1, 1) belong to the turn."""
        found: Tensor = self.leave(self.after(self.before(x) * factors))
        return found


def turn_factors(turns: int, channels: int) -> nn.ParameterList:
    """Learned factors (C, 1, 1) for each turn, initially one."""
    return nn.ParameterList([torch.ones(channels, 1, 1) for _ in range(turns)])

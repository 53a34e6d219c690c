"""Hyperprior and context of the means: channels in groups by worth, each seen by all later groups."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import CHECKERBOARD, WHOLE, Schedule, even_sizes, slices
from nacre.models.parts.blocks import STEP_LIMIT, Block, Down, Precise, Up
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.scales import ScaleShape
from nacre.models.wavelet.config import WaveletConfig


def turns(c: WaveletConfig) -> Schedule:
    """The turns of y: one for each group of channels, or two by a checkerboard; a group is a layer of the file.

    Without a hyperprior there is no context, and each group has one turn.
    """
    passes = CHECKERBOARD if c.hyperprior and c.passes == 2 else (WHOLE,)
    return slices("y", even_sizes(c.latent, c.layers), passes, c.layers)


def scale_shape(c: WaveletConfig) -> ScaleShape:
    return ScaleShape.of(turns(c), c.hyper, c.scale_width, factor=c.hyper_stride)


class WaveletHyperAnalysis(nn.Sequential):
    """h_a: y (B, M, h, w), sides multiples of the hyper stride, to z (B, Z, h / stride, w / stride)."""

    def __init__(self, c: WaveletConfig) -> None:
        width = c.hyper_width
        super().__init__(
            Precise(c.latent, width),
            Down(width, width, c.hyper_stride // 2),
            Block(width, STEP_LIMIT),
            Down(width, c.hyper),
        )


class WaveletHyperSynthesis(nn.Sequential):
    """h_s: z_hat (B, Z, h, w) to features (B, context, h * stride, w * stride)."""

    def __init__(self, c: WaveletConfig) -> None:
        width = c.hyper_width
        super().__init__(
            Up(c.hyper, width), Block(width), Up(width, c.context, c.hyper_stride // 2)
        )


class WorthContext(Context):
    """The mean of a group of channels, from the hyper features and earlier groups.

    The turns share the network, except its first and last layer.
    """

    def __init__(self, c: WaveletConfig) -> None:
        super().__init__()
        self.turns = turns(c)
        self._seen = scale_shape(c).inputs  # channels that may be known before each turn
        self.enter = nn.ModuleList([Precise(c.context + n, c.context) for n in self._seen])
        self.shared = nn.Sequential(
            *[Block(c.context, STEP_LIMIT) for _ in range(c.context_blocks)]
        )
        self.leave = nn.ModuleList([Precise(c.context, len(t.channels)) for t in self.turns])

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        seen = self._seen[turn]
        known = torch.cat([features, y_hat[:, :seen]], 1) if seen else features
        mean: Tensor = self.leave[turn](self.shared(self.enter[turn](known)))
        return mean

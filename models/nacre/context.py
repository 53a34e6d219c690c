"""Hyperprior and mean context: the networks behind the means of y."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import Schedule, quarters
from nacre.models.nacre.config import NacreConfig
from nacre.models.parts.blocks import STEP_LIMIT, Block, Down, Precise, Up
from nacre.models.parts.context import Context, Memory


class HyperAnalysis(nn.Sequential):
    """h_a: y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4)."""

    def __init__(self, c: NacreConfig) -> None:
        width = c.hyper_analysis_width
        super().__init__(
            Precise(c.latent, width),
            Down(width, width),
            Block(width, STEP_LIMIT),
            Down(width, c.hyper),
        )


class HyperSynthesis(nn.Sequential):
    """h_s: z_hat (B, Z, h, w) to features (B, context, 4h, 4w) for the mean context and g_s."""

    def __init__(self, c: NacreConfig) -> None:
        super().__init__(
            Up(c.hyper, c.hyper_width), Block(c.hyper_width), Up(c.hyper_width, c.context)
        )


def turns(c: NacreConfig) -> Schedule:
    """The turns of y."""
    return quarters("y", c.latent, 0)


class MeanContext(Context):
    """The mean of y in each turn, from the hyper features and the positions decoded so far.

    The turns share the network, except its first and last layer.
    Source: the four-step context of DCVC-DC (arXiv:2302.14402).
    Differs: it gives means only; scales have a network of their own, on integers (parts/scales.py).
    """

    def __init__(self, c: NacreConfig) -> None:
        super().__init__()
        self.turns = turns(c)
        widths = [c.context + (c.latent if k else 0) for k in range(len(self.turns))]
        self.enter = nn.ModuleList([Precise(width, c.context) for width in widths])
        self.shared = nn.Sequential(
            *[Block(c.context, STEP_LIMIT) for _ in range(c.context_blocks)]
        )
        self.leave = nn.ModuleList([Precise(c.context, c.latent) for _ in self.turns])

    def hidden(self, turn: int, features: Tensor, y_hat: Tensor) -> Tensor:
        """(B, context, h, w) before the last layer."""
        known = torch.cat([features, y_hat], 1) if turn else features
        found: Tensor = self.shared(self.enter[turn](known))
        return found

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        mean: Tensor = self.leave[turn](self.hidden(turn, features, y_hat))
        return mean

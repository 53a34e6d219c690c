"""Hyperprior and mean context: the networks behind the means of y."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.nacre.config import NacreConfig
from nacre.models.nacre.scales import STEPS
from nacre.models.parts.blocks import STEP_LIMIT, Block, Down, Precise, Up


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


class MeanContext(nn.Module):
    """The mean of y in each step, from the hyper features and the positions decoded so far.

    The network is shared by the steps but for its first and last layer.
    Source: the four-step context of DCVC-DC (arXiv:2302.14402).
    Differs: it gives means only; scales have a network of their own, on integers (scales.py).
    """

    def __init__(self, c: NacreConfig) -> None:
        super().__init__()
        widths = [c.context + (c.latent if k else 0) for k in range(STEPS)]
        self.enter = nn.ModuleList([Precise(width, c.context) for width in widths])
        self.shared = nn.Sequential(
            *[Block(c.context, STEP_LIMIT) for _ in range(c.context_blocks)]
        )
        self.leave = nn.ModuleList([Precise(c.context, c.latent) for _ in range(STEPS)])

    def forward(self, features: Tensor, y_hat: Tensor, step: int) -> Tensor:
        """features (B, context, h, w), y_hat (B, M, h, w) with zeros where not decoded; (B, M, h, w)"""
        known = torch.cat([features, y_hat], 1) if step else features
        return self.leave[step](self.shared(self.enter[step](known)))

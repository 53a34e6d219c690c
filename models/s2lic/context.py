"""The context of S2LIC: slices of channels, each coded as a checkerboard, that see the slices before them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import Schedule, slices
from nacre.models.parts.blocks import Precise
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.convolutions import convolutions
from nacre.models.parts.interaction import AdaptiveChannelContext, AdaptiveGlobalContext
from nacre.models.parts.residual_prediction import ResidualPrediction
from nacre.models.parts.swin import SwinV2Group
from nacre.models.s2lic.config import S2licConfig

PASSES = 2  # turns of a slice
FUSION_WIDTHS = (320, 256, 128)  # hidden layers that predict means and scales
RESIDUAL_WIDTHS = (224, 128)  # hidden layers that predict residuals


def turns(c: S2licConfig) -> Schedule:
    """The turns of y, two for each slice."""
    return slices("y", [c.slice_width] * c.slices)


class S2licContext(Context):
    """The mean of y from the hyper features and the slices decoded so far.

    Both turns of a slice see two contexts of earlier slices, one of channels (ACCTX) and one of the whole tile
    (AGCTX), through layers of their own. After each turn a residual corrects the rounding.
    Source: arXiv:2403.14471 and its public model file; the last layers have the widths of MLIC++
    (arXiv:2307.15421), on which S2LIC builds.
    In the paper's figure non-anchors also see the anchors of their slice; in the model file, and here by
    default, they do not. With `local_depth` they see the anchors by attention in shifted windows.
    """

    def __init__(self, c: S2licConfig) -> None:
        super().__init__()
        self.turns = turns(c)
        self.gives_scales = c.float_scales
        self.width, self.hyper_width = c.slice_width, c.latent
        width, outputs = c.slice_width, c.slice_width * (2 if c.float_scales else 1)
        before = range(width, c.latent, width)  # channels before a slice, from the second one on
        self.channel = nn.ModuleList([AdaptiveChannelContext(n, 2 * width) for n in before])
        self.everywhere = nn.ModuleList(
            [AdaptiveGlobalContext(n, width, n // c.head_width) for n in before]
        )
        self.fusion = nn.ModuleList()
        self.rounding = nn.ModuleList()
        self.local = nn.ModuleList()
        if c.local_depth:
            heads = width // c.head_width
            self.local += [
                SwinV2Group(width, c.local_depth, heads, c.window) for _ in range(c.slices)
            ]
        for k in range(len(self.turns)):
            known = 2 * c.latent + (3 * width if k >= PASSES else 0)
            known += width if c.local_depth and k % PASSES else 0
            self.fusion.append(
                nn.Sequential(
                    Precise(known, FUSION_WIDTHS[0]),
                    nn.GELU(),
                    convolutions(FUSION_WIDTHS, 1, "gelu"),
                    nn.GELU(),
                    Precise(FUSION_WIDTHS[-1], outputs),
                )
            )
            known = c.latent + (k // PASSES + 1) * width
            self.rounding.append(ResidualPrediction(known, width, 3, "gelu", RESIDUAL_WIDTHS))

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        k = turn // PASSES
        if k and turn % PASSES == 0:
            before = y_hat[:, : k * self.width]
            memory["slices"] = torch.cat(
                [self.channel[k - 1](before), self.everywhere[k - 1](before)], 1
            )
        known = [memory["slices"], features] if k else [features]
        if self.local and turn % PASSES:
            anchors = y_hat[:, k * self.width : (k + 1) * self.width]
            known.append(self.local[k](anchors))
        mean: Tensor = self.fusion[turn](torch.cat(known, 1))
        return mean

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        decoded = y_hat[:, : (turn // PASSES + 1) * self.width]
        known = torch.cat([features[:, self.hyper_width :], decoded], 1)
        found: Tensor = self.rounding[turn](known)
        return found

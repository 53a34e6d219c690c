"""Analysis (g_a) and synthesis (g_s) of S2LIC, of one rate, and their halos."""

from __future__ import annotations

from math import lcm

import torch
from torch import Tensor, nn

from nacre.models.parts import receptive
from nacre.models.parts.convolutions import SubPixel, convolution, transposed
from nacre.models.parts.dense import REACH, DenseEnhancement
from nacre.models.parts.hyperprior import STRIDE
from nacre.models.parts.receptive import Needs
from nacre.models.parts.swin import SwinV2Group, shifts
from nacre.models.s2lic.config import S2licConfig

STEM = 5  # side of the first kernel


class FullPrecision(nn.Module):
    """A layer at an end of a transform, which autocast leaves in float32; see `blocks.Precise`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:  # autocast does not know the meta device
            found: Tensor = self.layer(x)
        else:
            with torch.autocast(x.device.type, enabled=False):
                found = self.layer(x.to(next(self.layer.parameters()).dtype))
        return found


class S2licAnalysis(nn.Sequential):
    """g_a: x (B, 3, H, W), sides multiples of 16, to y (B, M, H/16, W/16)."""

    def __init__(self, c: S2licConfig) -> None:
        groups = [SwinV2Group(c.width, depth, heads, c.window) for _, depth, heads in c.stages]
        super().__init__(
            DenseEnhancement(3, c.enhancement, c.growth),
            convolution(3, c.width, STEM, stride=2),
            groups[0],
            convolution(c.width, c.width, stride=2),
            groups[1],
            convolution(c.width, c.width, stride=2),
            groups[2],
            FullPrecision(convolution(c.width, c.latent, stride=2)),
        )


class S2licSynthesis(nn.Sequential):
    """g_s: y_hat (B, M, h, w) to x_hat (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: S2licConfig) -> None:
        groups = [SwinV2Group(c.width, depth, heads, c.window) for _, depth, heads in c.stages]
        super().__init__(
            FullPrecision(transposed(c.latent, c.width, 3)),
            groups[2],
            transposed(c.width, c.width, 3),
            groups[1],
            transposed(c.width, c.width, 3),
            groups[0],
            FullPrecision(SubPixel(c.width, 3)),
            DenseEnhancement(3, c.enhancement, c.growth),
        )


def align(c: S2licConfig) -> int:
    """Positions of y after which the windows of all strides start together."""
    return lcm(*(stride * c.window for stride, _, _ in c.stages), STRIDE) // STRIDE


def halos(c: S2licConfig) -> tuple[int, int]:
    """Positions of y that the analysis looks beyond a position, and the synthesis."""
    groups: list[list[Needs]] = [
        [receptive.windows(c.window, shift) for shift in shifts(depth, c.window)]
        for _, depth, _ in c.stages
    ]
    dense = [receptive.kernel(2 * REACH + 1)]
    halving, doubling = [receptive.kernel(3, 2)], [receptive.transposed(3, 2)]
    to_y = [*dense, receptive.kernel(STEM, 2)]
    from_y: list[Needs] = []
    for group in groups:
        to_y += group + halving
    for group in reversed(groups):
        from_y += doubling + group
    from_y += [receptive.kernel(3), receptive.shuffled(2), *dense]
    period = align(c)
    return receptive.halo(to_y, period, 1, STRIDE), receptive.halo(from_y, period, STRIDE, 1)

"""Analysis (g_a) and synthesis (g_s) of S2LIC, of one rate, and how far they look."""

from __future__ import annotations

from math import lcm

import torch
from torch import Tensor, nn

from nacre.models.parts import receptive
from nacre.models.parts.dense import REACH, DenseEnhancement
from nacre.models.parts.hyperprior import STRIDE
from nacre.models.parts.receptive import Needs
from nacre.models.parts.swin import SwinV2Group, shifts
from nacre.models.s2lic.config import S2licConfig

STEM = 5  # side of the first kernel


def down(channels_in: int, channels_out: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride=2, padding=kernel // 2)


def up(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1)


class FullPrecision(nn.Module):
    """A layer at the y end of a transform, which autocast leaves in float32; see `blocks.Precise`."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:  # shapes alone, which autocast does not know
            found: Tensor = self.layer(x)
        else:
            with torch.autocast(x.device.type, enabled=False):
                found = self.layer(x.to(self.layer.weight.dtype))
        return found


class S2licAnalysis(nn.Sequential):
    """g_a: x (B, 3, H, W), sides multiples of 16, to y (B, M, H/16, W/16)."""

    def __init__(self, c: S2licConfig) -> None:
        groups = [SwinV2Group(c.width, depth, heads, c.window) for _, depth, heads in c.stages]
        super().__init__(
            DenseEnhancement(3, c.enhancement, c.growth),
            down(3, c.width, STEM),
            groups[0],
            down(c.width, c.width),
            groups[1],
            down(c.width, c.width),
            groups[2],
            FullPrecision(down(c.width, c.latent)),
        )


class S2licSynthesis(nn.Sequential):
    """g_s: y_hat (B, M, h, w) to x_hat (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: S2licConfig) -> None:
        groups = [SwinV2Group(c.width, depth, heads, c.window) for _, depth, heads in c.stages]
        super().__init__(
            FullPrecision(up(c.latent, c.width)),
            groups[2],
            up(c.width, c.width),
            groups[1],
            up(c.width, c.width),
            groups[0],
            nn.Sequential(nn.Conv2d(c.width, 3 * 4, 3, padding=1), nn.PixelShuffle(2)),
            DenseEnhancement(3, c.enhancement, c.growth),
        )


def align(c: S2licConfig) -> int:
    """Positions of y after which the windows of all strides start together."""
    return lcm(*(stride * c.window for stride, _, _ in c.stages), STRIDE) // STRIDE


def halos(c: S2licConfig) -> tuple[int, int]:
    """Positions of y that analysis, and that synthesis looks beyond a position."""
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

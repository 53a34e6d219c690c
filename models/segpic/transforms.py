"""Analysis (g_a), synthesis (g_s), and the hyper transforms, with region-adaptive layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.blocks import Precise
from nacre.models.parts.convolutions import GDN, SubPixel, convolution, transposed
from nacre.models.parts.region_adaptive import RegionAdaptiveTransform
from nacre.models.parts.regions import PrivilegedRegions
from nacre.models.parts.scale_affine import ScaleAffine
from nacre.models.parts.window_attention import WindowAttentionBlock
from nacre.models.segpic.config import SegpicConfig

KERNEL = 5
MIDDLE = 0.5  # of the range of x: the picture to start from
HYPER_PARTS = 4  # equal steps in which the widths of the hyper transforms go from y to z


def down(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Layers that halve the sides."""
    conv = convolution(channels_in, channels_out, KERNEL, stride=2)
    return [conv, GDN(channels_out), ScaleAffine(channels_out)]


def up(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Layers that double the sides. As in the public code, GDN is not inverse."""
    conv = transposed(channels_in, channels_out, KERNEL)
    return [ScaleAffine(channels_in), conv, GDN(channels_out)]


class RegionAnalysis(nn.Sequential):
    """x (B, 3, H, W) in [0, 1], sides multiples of 16, to y (B, M, H/16, W/16), of one rate."""

    def __init__(self, c: SegpicConfig, regions: PrivilegedRegions) -> None:
        super().__init__(
            *down(3, c.width),
            *down(c.width, c.width),
            WindowAttentionBlock(c.width, c.heads, c.window4),
            RegionAdaptiveTransform(c.width, 4, regions),
            *down(c.width, c.width),
            *down(c.width, c.latent),
            WindowAttentionBlock(c.latent, c.heads, c.window16),
        )


class RegionSynthesis(nn.Sequential):
    """y_hat (B, M, h, w) to x_hat (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: SegpicConfig, regions: PrivilegedRegions) -> None:
        super().__init__(
            WindowAttentionBlock(c.latent, c.heads, c.window16),
            *up(c.latent, c.width),
            *up(c.width, c.width),
            RegionAdaptiveTransform(c.width, 4, regions),
            WindowAttentionBlock(c.width, c.heads, c.window4),
            *up(c.width, c.width),
            *up(c.width, c.last_width),
            Precise(c.last_width, 3),
        )
        bias = self[-1].bias
        assert isinstance(bias, Tensor)
        nn.init.constant_(bias, MIDDLE)


def keep_variance(layers: nn.Sequential) -> None:
    """Set weights that keep the variance: with torch's default, z would round to zero everywhere."""
    for layer in layers:
        conv = layer[0] if isinstance(layer, SubPixel) else layer
        if isinstance(conv, nn.Conv2d):
            nn.init.kaiming_normal_(conv.weight)


def hyper_widths(c: SegpicConfig) -> list[int]:
    """Widths from y to z: by default 320, 288, 256, 224, 192."""
    return [c.latent + (c.hyper - c.latent) * k // HYPER_PARTS for k in range(HYPER_PARTS + 1)]


class RegionHyperAnalysis(nn.Sequential):
    """h_a: y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4)."""

    def __init__(self, c: SegpicConfig, regions: PrivilegedRegions) -> None:
        y, w1, w2, w3, z = hyper_widths(c)
        super().__init__(
            RegionAdaptiveTransform(y, 16, regions),
            convolution(y, y),
            nn.GELU(),
            convolution(y, w1),
            nn.GELU(),
            convolution(w1, w2, stride=2),
            nn.GELU(),
            convolution(w2, w3),
            nn.GELU(),
            convolution(w3, z, stride=2),
        )
        keep_variance(self)


def hyper_synthesis(c: SegpicConfig, regions: PrivilegedRegions) -> nn.Sequential:
    """z_hat (B, Z, h, w) to features (B, M, 4h, 4w)."""
    y, w1, w2, w3, z = hyper_widths(c)
    layers = nn.Sequential(
        convolution(z, z),
        nn.GELU(),
        SubPixel(z, w3),
        nn.GELU(),
        convolution(w3, w2),
        nn.GELU(),
        SubPixel(w2, w1),
        nn.GELU(),
        convolution(w1, y),
        RegionAdaptiveTransform(y, 16, regions),
    )
    keep_variance(layers)
    return layers


class RegionHyperSynthesis(nn.Module):
    """h_s: z_hat (B, Z, h, w) to features (B, F, 4h, 4w): M for means, and M for scales in floats."""

    def __init__(self, c: SegpicConfig, regions: PrivilegedRegions) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            hyper_synthesis(c, regions) for _ in range(2 if c.float_scales else 1)
        )

    def forward(self, z_hat: Tensor) -> Tensor:
        return torch.cat([branch(z_hat) for branch in self.branches], 1)

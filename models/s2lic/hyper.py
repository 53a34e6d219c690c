"""Hyper-analysis (h_a) and hyper-synthesis (h_s) of S2LIC; they are those of MLIC++ (arXiv:2307.15421)."""

from __future__ import annotations

from torch import nn

from nacre.models.s2lic.config import S2licConfig


def conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3; its start keeps the size of what passes GELU, so that not all of z rounds to zero."""
    made = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    return made


def doubled(channels: int) -> nn.Sequential:
    return nn.Sequential(conv(channels, 4 * channels), nn.PixelShuffle(2))


class S2licHyperAnalysis(nn.Sequential):
    """y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4)."""

    def __init__(self, c: S2licConfig) -> None:
        width = c.width
        super().__init__(
            conv(c.latent, width),
            nn.GELU(),
            conv(width, width),
            nn.GELU(),
            conv(width, width, 2),
            nn.GELU(),
            conv(width, width),
            nn.GELU(),
            conv(width, c.hyper, 2),
        )


class S2licHyperSynthesis(nn.Sequential):
    """z_hat (B, Z, h, w) to features (B, 2M, 4h, 4w), of which the second half serves the residual."""

    def __init__(self, c: S2licConfig) -> None:
        first, second = c.latent, c.latent * 3 // 2
        super().__init__(
            conv(c.hyper, first),
            nn.GELU(),
            doubled(first),
            nn.GELU(),
            conv(first, second),
            nn.GELU(),
            doubled(second),
            nn.GELU(),
            conv(second, 2 * c.latent),
        )

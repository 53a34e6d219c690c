"""Hyper-analysis (h_a) and hyper-synthesis (h_s) of S2LIC, as in MLIC++ (arXiv:2307.15421)."""

from __future__ import annotations

from torch import nn

from nacre.models.parts.convolutions import SubPixel, convolution
from nacre.models.s2lic.config import S2licConfig


def keep_size(layers: nn.Module) -> None:
    """Set initial weights that keep the variance through GELU: otherwise all of z would round to zero."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


class S2licHyperAnalysis(nn.Sequential):
    """y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4)."""

    def __init__(self, c: S2licConfig) -> None:
        width = c.width
        super().__init__(
            convolution(c.latent, width),
            nn.GELU(),
            convolution(width, width),
            nn.GELU(),
            convolution(width, width, stride=2),
            nn.GELU(),
            convolution(width, width),
            nn.GELU(),
            convolution(width, c.hyper, stride=2),
        )
        keep_size(self)


class S2licHyperSynthesis(nn.Sequential):
    """z_hat (B, Z, h, w) to features (B, 2M, 4h, 4w), of which the second half serves the residual."""

    def __init__(self, c: S2licConfig) -> None:
        first, second = c.latent, c.latent * 3 // 2
        super().__init__(
            convolution(c.hyper, first),
            nn.GELU(),
            SubPixel(first, first),
            nn.GELU(),
            convolution(first, second),
            nn.GELU(),
            SubPixel(second, second),
            nn.GELU(),
            convolution(second, 2 * c.latent),
        )
        keep_size(self)

"""Analysis (g_a), synthesis (g_s) and hyper transforms (h_a, h_s) of ELIC."""

from __future__ import annotations

from torch import Tensor, nn

from nacre.models.elic.config import ElicConfig
from nacre.models.parts.convolutions import (
    ConvolutionalAttention,
    PreciseConvolution,
    ResidualBottleneck,
    convolution,
    transposed,
)

MIDDLE = 0.5  # of the range of x
KERNEL = 5


def _blocks(c: ElicConfig) -> list[nn.Module]:
    return [ResidualBottleneck(c.width, c.width) for _ in range(c.blocks)]


class BottleneckAnalysis(nn.Module):
    """g_a: x (B, 3, H, W) in [0, 1], sides multiples of 16, to (B, M, H/16, W/16).

    Source: ELIC, arXiv:2203.10886. Differs: x is centred.
    """

    def __init__(self, c: ElicConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            convolution(3, c.width, KERNEL, 2),
            *_blocks(c),
            convolution(c.width, c.width, KERNEL, 2),
            *_blocks(c),
            ConvolutionalAttention(c.width),
            convolution(c.width, c.width, KERNEL, 2),
            *_blocks(c),
            PreciseConvolution(c.width, c.latent, KERNEL, 2),
            ConvolutionalAttention(c.latent),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x - MIDDLE)
        return y


class BottleneckSynthesis(nn.Module):
    """g_s: y_hat (B, M, h, w) to (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: ElicConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvolutionalAttention(c.latent),
            transposed(c.latent, c.width),
            *_blocks(c),
            transposed(c.width, c.width),
            ConvolutionalAttention(c.width),
            *_blocks(c),
            transposed(c.width, c.width),
            *_blocks(c),
            transposed(c.width, 3),
        )

    def forward(self, y_hat: Tensor) -> Tensor:
        return self.layers(y_hat).float() + MIDDLE


def hyper_analysis(c: ElicConfig) -> nn.Sequential:
    """h_a: y (B, M, h, w), sides multiples of 4, to (B, Z, h/4, w/4)."""
    return nn.Sequential(
        convolution(c.latent, c.width),
        nn.ReLU(),
        convolution(c.width, c.width, KERNEL, 2),
        nn.ReLU(),
        PreciseConvolution(c.width, c.hyper, KERNEL, 2),
    )


def hyper_synthesis(c: ElicConfig) -> nn.Sequential:
    """h_s: z_hat (B, Z, h, w) to features (B, F, 4h, 4w)."""
    return nn.Sequential(
        transposed(c.hyper, c.hyper_width32),
        nn.ReLU(),
        transposed(c.hyper_width32, c.hyper_width16),
        nn.ReLU(),
        convolution(c.hyper_width16, c.features),
    )

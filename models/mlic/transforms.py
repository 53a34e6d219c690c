"""Analysis (g_a), synthesis (g_s) and the transforms of the hyper-latent.

Sources: MLIC++, arXiv:2307.15421; with token mixing, MLICv2, arXiv:2504.19119.
"""

from __future__ import annotations

from torch import nn

from nacre.models.mlic.config import MlicConfig
from nacre.models.parts.convolutions import (
    PreciseConvolution,
    ResidualBlock,
    ResidualBlockDown,
    ResidualBlockUp,
    SubPixel,
    convolution,
)
from nacre.models.parts.token_mixing import TokenMixing

ACTIVATION = "gelu"
MIXING_BLOCKS = 2  # in place of one residual block
RESIDUAL_REACH = 2  # positions that a residual block looks beyond a position


def stage(c: MlicConfig, channels: int) -> nn.Module:
    """The blocks of one stride: (B, C, h, w) to the same shape."""
    if c.token_mixing:
        return nn.Sequential(*[TokenMixing(channels) for _ in range(MIXING_BLOCKS)])
    return ResidualBlock(channels, channels, ACTIVATION)


def stage_reach(c: MlicConfig) -> int:
    """Positions of its stride that a stage looks beyond a position."""
    return MIXING_BLOCKS * TokenMixing.REACH if c.token_mixing else RESIDUAL_REACH


class MlicAnalysis(nn.Sequential):
    """x (B, 3, H, W), sides multiples of 16, to y (B, M, H/16, W/16)."""

    def __init__(self, c: MlicConfig) -> None:
        super().__init__(
            ResidualBlockDown(3, c.width, ACTIVATION),
            stage(c, c.width),
            ResidualBlockDown(c.width, c.width, ACTIVATION),
            stage(c, c.width),
            ResidualBlockDown(c.width, c.width, ACTIVATION),
            stage(c, c.width),
            PreciseConvolution(c.width, c.latent, stride=2),
        )


class MlicSynthesis(nn.Sequential):
    """y_hat (B, M, h, w) to x_hat (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: MlicConfig) -> None:
        super().__init__(
            stage(c, c.latent),
            ResidualBlockUp(c.latent, c.width, ACTIVATION),
            stage(c, c.width),
            ResidualBlockUp(c.width, c.width, ACTIVATION),
            stage(c, c.width),
            ResidualBlockUp(c.width, c.width, ACTIVATION),
            stage(c, c.width),
            SubPixel(c.width, 3),
        )


class MlicHyperAnalysis(nn.Sequential):
    """h_a: y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4)."""

    def __init__(self, c: MlicConfig) -> None:
        super().__init__(
            convolution(c.latent, c.hyper),
            nn.GELU(),
            convolution(c.hyper, c.hyper),
            nn.GELU(),
            convolution(c.hyper, c.hyper, stride=2),
            nn.GELU(),
            convolution(c.hyper, c.hyper),
            nn.GELU(),
            convolution(c.hyper, c.hyper, stride=2),
        )


class MlicHyperSynthesis(nn.Sequential):
    """h_s: z_hat (B, Z, h, w) to features (B, 2M, 4h, 4w)."""

    def __init__(self, c: MlicConfig) -> None:
        wide = c.latent * 3 // 2
        super().__init__(
            convolution(c.hyper, c.latent),
            nn.GELU(),
            SubPixel(c.latent, c.latent),
            nn.GELU(),
            convolution(c.latent, wide),
            nn.GELU(),
            SubPixel(wide, wide),
            nn.GELU(),
            convolution(wide, c.features),
        )

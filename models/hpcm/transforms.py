"""Analysis (g_a), synthesis (g_s) and hyper transforms (h_a, h_s) of partial convolutions."""

from __future__ import annotations

from torch import Tensor, nn

from nacre.models.hpcm.config import HpcmConfig
from nacre.models.parts.blocks import Down, Up
from nacre.models.parts.partial_convolution import PartialConvolutionBlock

MIDDLE = 0.5  # of the range of x


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [PartialConvolutionBlock(channels) for _ in range(count)]


class PartialAnalysis(nn.Module):
    """g_a: x (B, 3, H, W) in [0, 1], sides multiples of 16, to (B, M, H/16, W/16)."""

    def __init__(self, c: HpcmConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, c.width2, 4, stride=2, padding=1),
            *_blocks(c.width2, c.blocks2),
            Down(c.width2, c.width4),
            *_blocks(c.width4, c.blocks4),
            Down(c.width4, c.width8),
            *_blocks(c.width8, c.blocks8),
            Down(c.width8, c.latent),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x - MIDDLE)
        return y


class PartialSynthesis(nn.Module):
    """g_s: y_hat (B, M, h, w) to (B, 3, 16h, 16w), not clamped."""

    def __init__(self, c: HpcmConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Up(c.latent, c.width8),
            *_blocks(c.width8, c.blocks8),
            Up(c.width8, c.width4),
            *_blocks(c.width4, c.blocks4),
            Up(c.width4, c.width2),
            *_blocks(c.width2, c.blocks2),
            nn.ConvTranspose2d(c.width2, 3, 4, stride=2, padding=1),
        )

    def forward(self, y_hat: Tensor) -> Tensor:
        return self.layers(y_hat).float() + MIDDLE


def hyper_analysis(c: HpcmConfig) -> nn.Sequential:
    """h_a: y (B, M, h, w), sides multiples of 4, to (B, Z, h/4, w/4)."""
    return nn.Sequential(
        PartialConvolutionBlock(c.latent),
        Down(c.latent, c.hyper_width),
        *_blocks(c.hyper_width, c.hyper_blocks),
        Down(c.hyper_width, c.hyper),
    )


def hyper_synthesis(c: HpcmConfig) -> nn.Sequential:
    """h_s: z_hat (B, Z, h, w) to features (B, 2M, 4h, 4w)."""
    return nn.Sequential(
        Up(c.hyper, c.hyper_width),
        *_blocks(c.hyper_width, c.hyper_blocks),
        Up(c.hyper_width, 2 * c.latent),
        PartialConvolutionBlock(2 * c.latent),
    )

"""Blocks that mix positions in a quarter of their channels, and channels everywhere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import RESIDUAL_START, pointwise

PARTIAL = 4  # one in PARTIAL channels is convolved
RATIO = 4  # of the width between the two pointwise layers to the channels


class PartialConvolutionBlock(nn.Module):
    """A 3x3 convolution of a quarter of the channels, then an MLP of all: (B, C, h, w) to the same shape.

    Source: FasterNet, arXiv:2303.03667, in the form of HPCM, arXiv:2507.19125.
    Differs: starts near the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        mixed = channels // PARTIAL
        self.split = [mixed, channels - mixed]
        self.mix = nn.Conv2d(mixed, mixed, 3, padding=1)
        self.widen = pointwise(channels, RATIO * channels)
        self.narrow = pointwise(RATIO * channels, channels)
        start_small(self.narrow)

    def forward(self, x: Tensor) -> Tensor:
        mixed, kept = x.split(self.split, 1)
        wide = self.widen(torch.cat([self.mix(mixed), kept], 1))
        return x + self.narrow(F.leaky_relu(wide, inplace=True))


def start_small(last: nn.Conv2d) -> None:
    """Initialise the last layer of a residual branch, which then starts near zero."""
    nn.init.normal_(last.weight, std=RESIDUAL_START)
    assert last.bias is not None
    nn.init.zeros_(last.bias)

"""Enhancement of a picture by densely connected convolutions, at the full size.

Source: Xie et al., arXiv:2108.03690, the feature enhancement module; dense blocks, arXiv:1608.06993.
Differs: the last weights start near zero instead of at zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import RESIDUAL_START

LAYERS = 5  # of a dense block, 3x3 each
SLOPE = 0.2  # of leaky ReLU
SHARE = 0.2  # factor of the output of the dense blocks
REACH = 2 * LAYERS + 1  # pixels that the module looks beyond a pixel, on each side


class DenseConvolutions(nn.Module):
    """(B, I, h, w) to (B, O, h, w): five 3x3 convolutions, each sees the input and all outputs so far."""

    def __init__(self, channels_in: int, channels_out: int, growth: int) -> None:
        super().__init__()
        widths = [growth] * (LAYERS - 1) + [channels_out]
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(channels_in + k * growth, width, 3, padding=1)
                for k, width in enumerate(widths)
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        *inner, last = self.layers
        for layer in inner:
            x = torch.cat([x, F.leaky_relu(layer(x), SLOPE)], 1)
        found: Tensor = last(x)
        return found


class DenseEnhancement(nn.Module):
    """A picture plus SHARE times the output of two dense blocks: (B, C, H, W) to the same shape."""

    def __init__(self, channels: int = 3, width: int = 64, growth: int = 32) -> None:
        super().__init__()
        leave = DenseConvolutions(width, channels, growth)
        last = leave.layers[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.normal_(last.weight, std=RESIDUAL_START)
        nn.init.zeros_(last.bias)
        self.branch = nn.Sequential(
            DenseConvolutions(channels, width, growth),
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, width, 3, padding=1),
            nn.Conv2d(width, width, 1),
            leave,
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.branch(x)
        return x + SHARE * found

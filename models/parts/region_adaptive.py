"""Region-adaptive transform: every position has a filter, computed from it and the mean of its region.

Source: SegPIC, arXiv:2403.00628; kernels for each position: decoupled dynamic filters, arXiv:2104.14107.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import pointwise
from nacre.models.parts.regions import PrivilegedRegions

SIDE = 3  # of a kernel
TAPS = SIDE * SIDE
SLOPE = 0.1  # of the leaky ReLU


def filter_by_position(x: Tensor, kernels: Tensor) -> Tensor:
    """x (B, C, h, w) filtered by kernels (B, C, 9, h, w), one for each channel and position; zeros around."""
    height, width = x.shape[2:]
    around = F.pad(x, (1, 1, 1, 1))
    total = torch.zeros_like(x)
    for tap in range(TAPS):
        row, column = divmod(tap, SIDE)
        moved = around[..., row : row + height, column : column + width]
        total = total + moved * kernels[:, :, tap]
    return total


class RegionAdaptiveTransform(nn.Module):
    """x plus its region-adaptive filtering: (B, C, h, w) to the same shape.

    1. the mean of x over each region is its prototype,
    2. a network computes kernels from x and the prototype of the position,
    3. a network computes gates of the channels from their means over the region.

    Differs: prototypes are computed from the layer's own input (see regions.py), and the gates for each
    region, not for the whole picture.
    """

    def __init__(self, channels: int, stride: int, regions: PrivilegedRegions) -> None:
        super().__init__()
        self.stride, self.regions = stride, regions
        self.enter = nn.Sequential(
            pointwise(channels, channels), nn.LeakyReLU(SLOPE), pointwise(channels, channels)
        )
        self.kernels = nn.Sequential(
            pointwise(2 * channels, channels),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, SIDE, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels * TAPS, SIDE, padding=1, groups=channels),
        )
        self.gate = nn.Sequential(
            pointwise(channels, channels), nn.LeakyReLU(SLOPE), pointwise(channels, channels)
        )
        self.leave = pointwise(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        pooling = self.regions.pooling(self.stride, x)
        prototypes = pooling.spread(pooling.means(x))
        entered = self.enter(x)
        kernels = self.kernels(torch.cat([entered, prototypes.to(entered.dtype)], 1))
        filtered = filter_by_position(entered, kernels.unflatten(1, (-1, TAPS)))
        gate = pooling.spread(torch.sigmoid(self.gate(pooling.means(filtered))))
        added: Tensor = self.leave(gate * filtered)
        return x + added

    @staticmethod
    def reach(window: int) -> int:
        """Pixels that the layer looks beyond a position, at most, with windows of `window` pixels.

        The gate reaches the far side of a window, the kernels two positions further, and the prototypes of the
        kernels the far side of the next window.
        """
        return 2 * window

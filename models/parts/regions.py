"""Regions of a picture, and means over them: from label maps in training, else from a fixed grid of windows.

Source: SegPIC, arXiv:2403.00628: masks of segments are privileged information, which training has and the
coder does not. Differs: the paper's coder pools over a grid of 4 x 4 cells of the whole picture, and its
files hold the means, quantised. Here a layer pools its own input over windows of a fixed side: no means are
coded, and a block of a picture gives the values of the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

BLUR = 9  # pixels a side
COLOUR_REGIONS = 8  # above or below the mean, in three colours


@dataclass(frozen=True)
class Regions:
    """The region of every pixel."""

    labels: Tensor  # (B, H, W) int64, 0..count - 1
    count: int

    def at(self, stride: int, height: int, width: int) -> Tensor:
        """(B, height, width) labels at every `stride`-th pixel; the edge is repeated beyond the picture."""
        rows, columns = (
            (torch.arange(n, device=self.labels.device) * stride).clamp(max=side - 1)
            for n, side in zip((height, width), self.labels.shape[1:], strict=True)
        )
        return self.labels[:, rows][:, :, columns]


def colour_regions(x: Tensor) -> Regions:
    """Eight regions of x (B, 3, H, W): where each colour, blurred, is above its mean over the picture.

    Stands in for masks of segments where a data set has none.
    """
    blurred = F.avg_pool2d(x.detach(), BLUR, 1, BLUR // 2, count_include_pad=False)
    red, green, blue = (blurred > blurred.mean((2, 3), keepdim=True)).long().unbind(1)
    return Regions(red + 2 * green + 4 * blue, COLOUR_REGIONS)


class Pooling(Protocol):
    """Means of features over regions, and features that are constant over regions."""

    def means(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, rows, columns), a mean for each region."""

    def spread(self, means: Tensor) -> Tensor:
        """Back to (B, C, h, w): every position gets the value of its region."""


@dataclass(frozen=True)
class WindowPooling:
    """Regions are windows that begin at multiples of `window` positions; they may be smaller at the edges."""

    window: int
    height: int
    width: int

    def means(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.window, ceil_mode=True, count_include_pad=False)

    def spread(self, means: Tensor) -> Tensor:
        wide = means.repeat_interleave(self.window, 2).repeat_interleave(self.window, 3)
        return wide[..., : self.height, : self.width]


@dataclass(frozen=True)
class LabelPooling:
    """A region has all positions of one label; the mean of a label without positions is zero."""

    labels: Tensor  # (B, h, w)
    count: int

    def means(self, x: Tensor) -> Tensor:
        of_region = F.one_hot(self.labels.flatten(1), self.count).to(x.dtype)  # (B, h * w, count)
        weights = of_region / of_region.sum(1, keepdim=True).clamp_min(1)
        return (x.flatten(2) @ weights)[..., None]

    def spread(self, means: Tensor) -> Tensor:
        batch, channels = means.shape[:2]
        index = self.labels.flatten(1)[:, None].expand(batch, channels, -1)
        return means[..., 0].gather(2, index).reshape(batch, channels, *self.labels.shape[1:])


class PrivilegedRegions:
    """The regions that the layers of a network see: given during a training pass, windows otherwise."""

    def __init__(self, window: int) -> None:
        self.window = window  # pixels a side of a region where there are no labels
        self._regions: Regions | None = None

    @contextmanager
    def known(self, regions: Regions | None) -> Iterator[None]:
        """Use these regions inside the `with` block; None means windows."""
        self._regions = regions
        try:
            yield
        finally:
            self._regions = None

    def pooling(self, stride: int, x: Tensor) -> Pooling:
        """The pooling of features x (B, C, h, w); `stride` divides the window."""
        height, width = x.shape[2:]
        if self._regions is None:
            return WindowPooling(self.window // stride, height, width)
        labels = self._regions.at(stride, height, width)
        return LabelPooling(labels, self._regions.count)

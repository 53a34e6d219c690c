"""Draws random crops and cuts them on the training device, whose memory holds all pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacre.datasets.memory import PixelStore

MAX_SHRINK = 1.75  # largest factor by which a crop is shrunk


def to_device(v: Tensor, device: torch.device) -> Tensor:
    """A small CPU tensor on the device; the copy does not wait for earlier work of a GPU."""
    return v.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else v.to(device)


@dataclass(frozen=True)
class Draw:
    """The positions of the crops of a batch, independent of how processes share the batch."""

    picture: Tensor  # (n,) index of the picture
    top: Tensor  # (n,) in [0, 1): share of the largest offset
    left: Tensor  # (n,)
    flips: Tensor  # (n, 3) bool: upside down, left to right, rows for columns
    side: int  # pixels cut, before shrinking

    def part(self, index: slice) -> Draw:
        return Draw(
            self.picture[index], self.top[index], self.left[index], self.flips[index], self.side
        )


class Crops:
    """Draws pictures in proportion to their area; `synthetic_share` of the crops are from the second store.

    The order of crops depends on the seed alone, not on the device or the number of processes.
    """

    def __init__(
        self,
        photos: PixelStore,
        synthetic: PixelStore,
        synthetic_share: float = 0.0,
        shrink_share: float = 0.0,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.shrink_share = shrink_share
        self.device = torch.device(device)
        parts = [torch.from_numpy(np.array(store.pixels)) for store in (photos, synthetic)]
        self._pixels = torch.cat(parts).to(self.device)
        sizes = torch.from_numpy(np.concatenate([photos.sizes, synthetic.sizes]))
        areas = sizes.prod(1)
        self._offset = (3 * (areas.cumsum(0) - areas)).to(self.device)
        self._height, self._width = sizes.T.to(self.device)
        self._smallest = int(sizes.min())
        weight = areas.double()
        count = len(photos.sizes)
        if len(synthetic.sizes) and synthetic_share:
            weight[:count] *= (1 - synthetic_share) / weight[:count].sum()
            weight[count:] *= synthetic_share / weight[count:].sum()
        else:
            weight[count:] = 0
        self._weight = weight
        self.rng = torch.Generator().manual_seed(seed)

    def draw(self, count: int, side: int) -> Draw:
        """Choose the crops of one batch; all crops of a batch are shrunk by one factor."""
        is_shrunk, by = torch.rand(2, generator=self.rng).tolist()
        factor = 1 + (MAX_SHRINK - 1) * by if is_shrunk < self.shrink_share else 1.0
        picture = torch.multinomial(self._weight, count, replacement=True, generator=self.rng)
        top, left = torch.rand(2, count, generator=self.rng)
        flips = torch.rand(count, 3, generator=self.rng) < 0.5
        return Draw(picture, top, left, flips, min(round(side * factor), self._smallest))

    def cut(self, draw: Draw, side: int) -> Tensor:
        """(n, 3, side, side) float32 in [0, 1], channels last, on the device."""
        on_cpu = (draw.picture, draw.top, draw.left, draw.flips)
        picture, top, left, flips = (to_device(v, self.device) for v in on_cpu)
        cut = draw.side
        height, width = self._height[picture], self._width[picture]
        y0, x0 = (top * (height - cut + 1)).long(), (left * (width - cut + 1)).long()
        ramp = torch.arange(cut, device=self.device)
        rows = torch.where(flips[:, :1], ramp.flip(0), ramp) + y0[:, None]  # (n, cut)
        columns = torch.where(flips[:, 1:2], ramp.flip(0), ramp) + x0[:, None]
        at = rows[:, :, None] * width[:, None, None] + columns[:, None, :]
        at = self._offset[picture][:, None, None] + 3 * at
        at = torch.where(flips[:, 2, None, None], at.transpose(1, 2), at)  # (n, cut, cut)
        x = self._pixels[at[..., None] + torch.arange(3, device=self.device)]  # (n, cut, cut, 3)
        x = x.permute(0, 3, 1, 2).float().div_(255)
        if cut != side:
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

"""Replaces pixels that nobody sees by a smooth continuation of their neighbours, which costs few bits."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def fill(pixels: Pixels, is_hidden: NDArray[np.bool_]) -> Pixels:
    """(H, W, C) with the pixels `is_hidden` (H, W) replaced; grey where all are hidden.

    Every hidden pixel is the mean of the nearest visible ones, in ever larger squares.
    """
    if not is_hidden.any():
        return pixels
    peak = np.iinfo(pixels.dtype).max
    x = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    known = torch.from_numpy(~is_hidden)[None, None].float()
    filled = _filled(x, known, peak / 2)[0].permute(1, 2, 0).round().clamp(0, peak).numpy()
    return np.where(is_hidden[..., None], filled.astype(pixels.dtype), pixels)


def _filled(x: Tensor, known: Tensor, middle: float) -> Tensor:
    """x (1, C, H, W) where known (1, 1, H, W) is 1; elsewhere values from a coarser copy."""
    height, width = x.shape[2:]
    if bool(known.all()):
        return x
    if height == width == 1:
        return torch.full_like(x, middle)
    padding = (0, width % 2, 0, height % 2)
    x_even, known_even = F.pad(x * known, padding), F.pad(known, padding)
    share = F.avg_pool2d(known_even, 2)
    coarse = F.avg_pool2d(x_even, 2) / share.clamp_min(1e-6)
    coarse = _filled(coarse, (share > 0).float(), middle)
    fine = F.interpolate(coarse, scale_factor=2, mode="bilinear")[..., :height, :width]
    return torch.where(known > 0, x, fine)

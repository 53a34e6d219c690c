"""Chooses the pictures of a store for the calibration, fitting and measurement of an export."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nacre.datasets.memory import PixelStore

SIDE = 384  # pixels; larger pictures are cropped to it


def spread(store: PixelStore, count: int, unit: int) -> list[Tensor]:
    """Up to `count` pictures at equal distances in the store.

    Each is (1, 3, h, w) in [0, 1], h and w at most SIDE and multiples of `unit`.
    """
    sizes = store.sizes.tolist()
    starts = np.concatenate([[0], np.cumsum([3 * h * w for h, w in sizes])])
    found = []
    for i in range(0, len(sizes), max(1, len(sizes) // count)):
        height, width = sizes[i]
        x = torch.from_numpy(
            store.pixels[starts[i] : starts[i + 1]].reshape(height, width, 3).copy()
        )
        height, width = (min(side, SIDE) // unit * unit for side in (height, width))
        found.append(x[:height, :width].permute(2, 0, 1)[None].float() / 255)
    return found[:count]

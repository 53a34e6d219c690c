"""Cells by a plain transform code: JPEG 4:4:4, every coefficient quantised by the same step.

Errors stay bounded for any content: noise, dithers and saturated text only take more bits. A cell consists of
whole 8x8 blocks of JPEG, so its samples do not depend on other cells. 8-bit samples only.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.lossless import read_picture

Samples = NDArray[np.uint8]
BLOCK = 8  # pixels a side
LARGEST_STEP = 255
ROW = 32  # cells side by side in a mosaic, at most


def best_step(lmbda: float) -> int:
    """The quantisation step by high-rate theory for bits per pixel + lambda * MSE (0..255 scale)."""
    return min(max(round(math.sqrt(6 / (lmbda * math.log(2)))), 1), LARGEST_STEP)


def to_bytes(cells: Samples, step: int) -> bytes:
    """Code cells (n, side, side, 1 or 3), n at least 1."""
    joined = mosaic(cells)
    image = Image.fromarray(joined[..., 0] if joined.shape[2] == 1 else joined)
    options: dict[str, Any] = {"qtables": [[step] * 64] * 2, "subsampling": 0}
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    if out.tell() < joined.shape[0] * joined.shape[1]:  # Pillow's buffer for optimised codes
        out = io.BytesIO()
        image.save(out, "JPEG", optimize=True, **options)
    return out.getvalue()


def from_bytes(data: bytes, count: int, side: int, channels: int) -> Samples:
    """Undo `to_bytes`: (count, side, side, channels). Raises CorruptStream."""
    across = min(count, ROW)
    size = (across * side, -(-count // across) * side)
    joined = read_picture(data, "JPEG", "RGB" if channels == 3 else "L", size)
    cells = joined.reshape(-1, side, across, side, channels).swapaxes(1, 2)
    return cells.reshape(-1, side, side, channels)[:count]


def mosaic(cells: Samples) -> Samples:
    """(n, side, side, C) cells as a picture, ROW of them side by side, padded with grey."""
    count, side, _, channels = cells.shape
    across = min(count, ROW)
    full = np.full((-(-count // across) * across, side, side, channels), 128, np.uint8)
    full[:count] = cells
    rows = full.reshape(-1, across, side, side, channels).swapaxes(1, 2)
    return rows.reshape(-1, across * side, channels)

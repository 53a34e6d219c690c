"""The alpha plane, coded without loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacre.codec import lossless

Plane = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W), 0 transparent, 255 or 65535 opaque


def to_bytes(plane: Plane) -> bytes:
    return lossless.to_bytes(plane[..., None])


def from_bytes(data: bytes, width: int, height: int) -> Plane:
    """Undo `to_bytes`; raises CorruptStream for anything but a plane of that size."""
    depth = 16 if data[:1] == bytes([lossless.Coder.HALVES]) else 8
    return lossless.from_bytes(data, (height, width, 1), depth)[..., 0]

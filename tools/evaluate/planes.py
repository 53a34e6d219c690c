"""RGB to the Y'CbCr planes of video codecs and back, in floats, rounded once.

BT.709, full range. Truncation instead of rounding lowers the highest PSNR of the round trip by several
decibels (docs/evaluation.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import ImageError

LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709-6, item 3.2
BLUE, RED = 2 * (1 - LUMA[2]), 2 * (1 - LUMA[0])  # divisors that give Cb and Cr a range of 1

Planes = list[NDArray[np.uint16]]  # Y, Cb, Cr, each (h, w)


def to_ycbcr(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert (H, W, 3) RGB to (H, W, 3) Y, Cb, Cr in 0..255, unrounded; grey has Cb = Cr = 127.5."""
    x = rgb.astype(np.float64)
    y = x @ LUMA
    return np.stack([y, (x[..., 2] - y) / BLUE + 127.5, (x[..., 0] - y) / RED + 127.5], -1)


def to_even_sides(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column of (H, W, 3) where a side is odd; 4:2:0 needs even sides."""
    return np.pad(rgb, ((0, rgb.shape[0] % 2), (0, rgb.shape[1] % 2), (0, 0)), mode="edge")


def to_planes(
    rgb: NDArray[np.uint8], depth: int = 8, halve_chroma: bool = False, truncate: bool = False
) -> Planes:
    """Convert (H, W, 3) RGB to planes of `depth` bits; halved chroma (means of 2x2) is 4:2:0."""
    y, cb, cr = np.moveaxis(to_ycbcr(rgb), -1, 0) / 255
    peak, middle = (1 << depth) - 1, 1 << (depth - 1)
    chroma = [_halved(c) if halve_chroma else c for c in (cb - 0.5, cr - 0.5)]
    samples = [y * peak, *(c * peak + middle for c in chroma)]
    rounded = [np.floor(s) if truncate else np.rint(s) for s in samples]
    return [np.clip(s, 0, peak).astype(np.uint16) for s in rounded]


def to_rgb(planes: Planes, depth: int = 8) -> NDArray[np.uint8]:
    """Convert planes to (H, W, 3) RGB, rounded; halved chroma is interpolated between its centres."""
    peak, middle = (1 << depth) - 1, 1 << (depth - 1)
    height, width = planes[0].shape
    y = planes[0] / peak
    cb, cr = (_doubled((p.astype(float) - middle) / peak, height, width) for p in planes[1:])
    r, b = y + RED * cr, y + BLUE * cb
    g = (y - LUMA[0] * r - LUMA[2] * b) / LUMA[1]
    return np.clip(np.rint(np.stack([r, g, b], -1) * 255), 0, 255).astype(np.uint8)


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    halves: NDArray[np.float64] = even.reshape(-(-height // 2), 2, -(-width // 2), 2).mean((1, 3))
    return halves


def _doubled(plane: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Upsample to (height, width) linearly: samples lie in the middle of 2x2, so weights are 3/4 and 1/4."""
    for axis, side in enumerate((height, width)):
        if plane.shape[axis] == side:
            continue
        padded = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        parts = [np.take(padded, range(k, k + plane.shape[axis]), axis) for k in range(3)]
        pair = np.stack([0.75 * parts[1] + 0.25 * parts[k] for k in (0, 2)], axis + 1)
        shape = [s * 2 if a == axis else s for a, s in enumerate(plane.shape)]
        plane = np.take(pair.reshape(shape), range(side), axis)
    return plane


def pack(planes: Planes, depth: int = 8) -> bytes:
    """Return a planar file: one byte per sample at 8 bits, else two, little-endian."""
    kind = "u1" if depth == 8 else "<u2"
    return b"".join(p.astype(kind).tobytes() for p in planes)


def unpack(
    data: bytes, width: int, height: int, depth: int = 8, is_chroma_half: bool = False
) -> Planes:
    """Return the planes of a planar file of one frame. Raises ImageError when the file has another size."""
    kind = np.dtype("u1" if depth == 8 else "<u2")
    half = (-(-height // 2), -(-width // 2)) if is_chroma_half else (height, width)
    shapes = [(height, width), half, half]
    wanted = sum(h * w for h, w in shapes) * kind.itemsize
    if len(data) != wanted:
        raise ImageError(f"a planar frame of {width}x{height} has {wanted} bytes, not {len(data)}")
    planes, at = [], 0
    for h, w in shapes:
        planes.append(np.frombuffer(data, kind, h * w, at).reshape(h, w).astype(np.uint16))
        at += h * w * kind.itemsize
    return planes

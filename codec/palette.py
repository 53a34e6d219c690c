"""Merges nearly equal colours of drawings and text, which saves bits of the lossless coder for a small error.

Smoothed text has hundreds of colours between ink and paper. A more frequent colour replaces a colour where the
errors cost less than the bits that it is likely to save.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8]

SAVED_BITS = 3.0  # for each pixel unlike its neighbours; lossless coders take 4 to 8 for one
MOST_COLOURS = 1 << 14  # cells with more are no drawings, and stay unchanged
MOST_KEPT = 1 << 11


def merge(pixels: Samples, is_own: NDArray[np.bool_], price: float) -> Samples:
    """(h, w, C) with colours of the pixels `is_own` (h, w) merged; `price` is bits per squared level."""
    packed = np.zeros(pixels.shape[:2], np.int64)
    for channel in np.moveaxis(pixels, 2, 0):
        packed = packed << 8 | channel
    numbers, index = np.unique(packed[is_own], return_inverse=True)
    if len(numbers) > MOST_COLOURS:
        return pixels
    is_new = np.ones_like(is_own)
    is_new[1:] = packed[1:] != packed[:-1]
    is_new[:, 1:] &= packed[:, 1:] != packed[:, :-1]
    count = np.bincount(index)
    new = np.bincount(index, is_new[is_own])
    colours = np.stack([numbers >> 8 * c & 255 for c in reversed(range(pixels.shape[2]))], 1)
    reach = SAVED_BITS * new / (count * price)  # squared levels that a colour may move
    out = pixels.copy()
    out[is_own] = colours[_kept(colours, count, reach)][index]
    return out


def _kept(
    colours: NDArray[np.int64], count: NDArray[np.intp], reach: NDArray[np.float64]
) -> NDArray[np.intp]:
    """(n,) index of the colour that replaces each colour (n, C): itself, or the nearest kept one in reach."""
    to, nearest = np.arange(len(colours)), np.full(len(colours), np.inf)
    is_kept = np.zeros(len(colours), np.bool_)
    for kept, i in enumerate(np.argsort(-count, kind="stable")):
        if to[i] != i:
            continue
        if kept > MOST_KEPT and is_kept.sum() > MOST_KEPT:
            break
        is_kept[i] = True
        distance = np.square(colours - colours[i]).sum(1).astype(np.float64)
        goes = (distance <= reach) & (distance < nearest) & ~is_kept
        to[goes], nearest[goes] = i, distance[goes]
    return to

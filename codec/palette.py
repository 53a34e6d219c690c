"""Colours of drawings and text that are nearly alike, made one: fewer bits without loss, for a small error.

Smoothed text has hundreds of colours between ink and paper. A colour becomes another, more frequent one where
that costs less in errors than it is likely to save in bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8]

SAVED_BITS = 3.0  # for each pixel unlike its neighbours; lossless coders take 4 to 8 for one
MOST_COLOURS = 1 << 14  # more are not looked at: such cells are no drawings
MOST_KEPT = 1 << 11


def merge(pixels: Samples, is_own: NDArray[np.bool_], price: float) -> Samples:
    """(h, w, C) with colours of the pixels `is_own` (h, w) merged; `price` is bits for a squared level."""
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
    """(n,) what the colours (n, C) become: the frequent ones stay, others go to the nearest in reach."""
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

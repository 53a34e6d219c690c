"""Codes frames without networks: a motion-compensated prediction, with cells over it stored by WebP or JPEG.

This suits content that networks cannot draw (text, drawings, noise), and still content, which needs no cells.
A frame without a prediction is all stored cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacre.codec import cells
from nacre.codec.areas import positions
from nacre.codec.container import Cells, Mode
from nacre.codec.jpeg import best_step
from nacre.entropy.errors import CorruptStream

Pixels = NDArray[np.uint8]
CELL = 1 << cells.SIDE_LOG2
STILL = 0.25  # share of cells equal to the prediction, from which the others are tried without loss
DEAR = 1.0  # bits a pixel, errors included: JPEG is tried only above this limit
NEAR = 2.0  # WebP is tried where JPEG costs less than NEAR times the best way


def best(
    pixels: Pixels, predicted: Pixels | None, price: float, limit: float
) -> tuple[bytes, Pixels] | None:
    """Code a frame (H, W, 3): bytes and shown pixels, or None where every way costs `limit` bits or more.

    `price` is the bits per squared level of one sample.
    """
    shape = tuple(positions(side, CELL) for side in pixels.shape[:2])
    step, found = best_step(3 * price), None

    def tried(modes: NDArray[np.generic]) -> tuple[float, NDArray[np.float64]]:
        """The cost of a frame with cells of these modes, and the squared error of every cell."""
        nonlocal limit, found
        chosen, data = modes.astype(np.uint8), b""
        if (chosen != Mode.LATENT).any():
            data = cells.write(0, chosen, pixels, step, 0).to_bytes()
        shown = shown_of(data, predicted, *pixels.shape[:2])
        error = _by_cell(pixels, shown)
        cost = 8 * len(data) + price * float(error.sum())
        if cost < limit:
            limit, found = cost, (data, shown)
        return cost, error

    error, is_near = None, False
    if predicted is not None:
        _, error = tried(np.full(shape, Mode.LATENT))
        is_near = float((error == 0).mean()) >= STILL
    if limit > DEAR * pixels[..., 0].size:
        before = limit
        cost, _ = tried(np.full(shape, Mode.DCT))
        is_near = is_near or cost < NEAR * before
        if error is not None:
            tried(np.where(price * error > cost / error.size, Mode.DCT, Mode.LATENT))
    if is_near:
        changed = np.ones(shape, bool) if error is None else error > 0
        tried(np.where(changed, Mode.EXACT, Mode.LATENT))
    return found


def shown_of(data: bytes, predicted: Pixels | None, height: int, width: int) -> Pixels:
    """The shown pixels (H, W, 3) of a coded frame. Raises CorruptStream."""
    if not data:
        if predicted is None:
            raise CorruptStream("a frame by itself without cells")
        return predicted
    patch = cells.read(Cells.from_bytes(data), (height, width, 3), 8)
    if predicted is None:
        if not patch.is_own.all():
            raise CorruptStream("a frame by itself with cells of a prediction")
        return np.asarray(patch.pixels, np.uint8)
    return np.where(patch.is_own[..., None], patch.pixels, predicted).astype(np.uint8)


def _by_cell(pixels: Pixels, shown: Pixels) -> NDArray[np.float64]:
    """(rows, columns) the squared error of every cell."""
    squares = np.square(pixels.astype(np.int32) - shown).sum(2).astype(np.float64)
    rows, columns = (np.arange(0, side, CELL) for side in squares.shape)
    found: NDArray[np.float64] = np.add.reduceat(np.add.reduceat(squares, rows, 0), columns, 1)
    return found

"""The cells of a tile that do not come from the latent: their bytes, and their place over its pixels.

A tile is cut into square cells; cells at its right and lower edge are smaller. Each cell has one mode. All
cells of mode EXACT form one lossless picture, of the smallest rectangle around them; all cells of mode DCT form
a mosaic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacre.codec import jpeg, lossless
from nacre.codec.areas import positions
from nacre.codec.container import Cells, Mode, Stream, pack_modes
from nacre.entropy.errors import CorruptStream

SIDE_LOG2 = 5  # of the cells that are written: 32 pixels

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Modes = NDArray[np.uint8]  # (rows, columns) of cells


@dataclass(frozen=True)
class Patch:
    """The stored cells of one tile, over the pixels of its latent."""

    is_own: NDArray[np.bool_]  # (h, w)
    pixels: Pixels  # (h, w, C), undefined where is_own is false


def write(tile: int, modes: Modes, pixels: Pixels, step: int, care: int) -> Cells:
    """The chunk of a tile with `pixels` (h, w, C), of which some cells are not LATENT."""
    side = 1 << SIDE_LOG2
    exact = transformed = b""
    is_exact = modes == Mode.EXACT
    if is_exact.any():
        box, own = _box(is_exact, side, pixels.shape[:2])
        exact = lossless.to_bytes(fill_flat(pixels[box], ~own), care)
    if (modes == Mode.DCT).any():
        transformed = jpeg.to_bytes(cut(pixels, side)[modes == Mode.DCT], step)
    first = int(modes[0, 0])
    if (modes == first).all():
        return Cells(tile, SIDE_LOG2, first, b"", exact, transformed)
    return Cells(tile, SIDE_LOG2, 0, pack_modes(modes.tobytes()), exact, transformed)


def all_exact(tile: int, pixels: Pixels, care: int) -> Cells:
    """The chunk of a tile with all cells EXACT."""
    shape = [positions(side, 1 << SIDE_LOG2) for side in pixels.shape[:2]]
    return write(tile, np.full(shape, Mode.EXACT, np.uint8), pixels, 1, care)


def read(cells: Cells, shape: tuple[int, int, int], depth: int) -> Patch:
    """Undo `write` for a tile of (h, w, C) samples of `depth` bits. Raises CorruptStream."""
    height, width, channels = shape
    side = 1 << cells.side_log2
    modes = read_modes(cells, *cells.grid(height, width))
    pixels: Pixels = np.zeros(shape, np.uint8) if depth == 8 else np.zeros(shape, np.uint16)
    is_exact, is_dct = modes == Mode.EXACT, modes == Mode.DCT
    if is_exact.any() != bool(cells.exact) or is_dct.any() != bool(cells.transformed):
        raise CorruptStream(f"the cells of tile {cells.tile} are not those of its map")
    if is_exact.any():
        box, own = _box(is_exact, side, (height, width))
        found = lossless.from_bytes(cells.exact, (*own.shape, channels), depth)
        pixels[box] = np.where(own[..., None], found, 0)
    if is_dct.any():
        if depth != 8:
            raise CorruptStream("transformed cells in a picture of 16 bits")
        found = jpeg.from_bytes(cells.transformed, int(is_dct.sum()), side, channels)
        for (row, column), cell in zip(np.argwhere(is_dct) * side, found, strict=True):
            part = pixels[row : row + side, column : column + side]
            part[:] = cell[: part.shape[0], : part.shape[1]]
    return Patch(spread(modes != Mode.LATENT, side, (height, width)), pixels)


def read_modes(cells: Cells, rows: int, columns: int) -> Modes:
    """(rows, columns) the mode of every cell; raises CorruptStream."""
    return np.frombuffer(cells.modes(rows * columns), np.uint8).reshape(rows, columns)


def cut(pixels: Pixels, side: int) -> Pixels:
    """(rows, columns, side, side, C) cells of (h, w, C); cells beyond the edge repeat the edge pixels."""
    height, width, channels = pixels.shape
    rows, columns = positions(height, side), positions(width, side)
    padding = ((0, rows * side - height), (0, columns * side - width), (0, 0))
    padded: Any = np.pad(pixels, padding, mode="edge")
    found: Pixels = padded.reshape(rows, side, columns, side, channels).swapaxes(1, 2)
    return found


def spread(of_cells: NDArray[np.bool_], side: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w) the flag of each cell, at each of its pixels."""
    return of_cells.repeat(side, 0)[: size[0]].repeat(side, 1)[:, : size[1]]


def fill_flat(pixels: Pixels, is_hidden: NDArray[np.bool_]) -> Pixels:
    """Give hidden pixels the colour of the first visible one, which costs a lossless coder almost nothing."""
    return np.where(is_hidden[..., None], pixels[~is_hidden][0], pixels)


def _box(
    is_exact: NDArray[np.bool_], side: int, size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """The rectangle of pixels around the exact cells, and the mask of their pixels in it."""
    rows, columns = (np.flatnonzero(is_exact.any(axis)) * side for axis in (1, 0))
    box = (
        slice(int(rows[0]), min(int(rows[-1]) + side, size[0])),
        slice(int(columns[0]), min(int(columns[-1]) + side, size[1])),
    )
    return box, spread(is_exact, side, size)[box]


class Overlay:
    """Puts the cells of all tiles over the rows of a picture, which come from the top down."""

    def __init__(self, stream: Stream) -> None:
        head = stream.head
        self._found = {cells.tile: cells for cells in stream.cells}
        self._size = head.height, head.width, head.colours
        self._tile, self._depth = head.tile, head.bit_depth
        self._held: dict[int, Patch] = {}

    def put(self, pixels: Pixels, top: int, left: int) -> None:
        """Put cells over pixels (h, w, C) that begin at (top, left) of the picture. Raises CorruptStream."""
        if not self._found:
            return
        bottom, right = top + pixels.shape[0], left + pixels.shape[1]
        wanted = set()
        for number, y, x in self._tiles(top, bottom, left, right):
            wanted.add(number)
            patch = self._patch(number, y, x)
            rows = slice(max(top, y), min(bottom, y + patch.is_own.shape[0]))
            columns = slice(max(left, x), min(right, x + patch.is_own.shape[1]))
            there = (
                slice(rows.start - y, rows.stop - y),
                slice(columns.start - x, columns.stop - x),
            )
            here = pixels[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            np.copyto(here, patch.pixels[there], where=patch.is_own[there][..., None])
        for number in set(self._held) - wanted:
            del self._held[number]

    def _tiles(
        self, top: int, bottom: int, left: int, right: int
    ) -> Iterator[tuple[int, int, int]]:
        """Number, first row and first column of each tile that has cells and meets these pixels."""
        across = positions(self._size[1], self._tile)
        for row in range(top // self._tile, positions(min(bottom, self._size[0]), self._tile)):
            for column in range(
                left // self._tile, positions(min(right, self._size[1]), self._tile)
            ):
                if row * across + column in self._found:
                    yield row * across + column, row * self._tile, column * self._tile

    def _patch(self, number: int, y: int, x: int) -> Patch:
        if number not in self._held:
            height, width, channels = self._size
            shape = (min(self._tile, height - y), min(self._tile, width - x), channels)
            self._held[number] = read(self._found[number], shape, self._depth)
        return self._held[number]

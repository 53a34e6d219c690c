"""Coding CELLS: every cell is stored in its tile's CELL chunk; no latent, no model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nacre.codec import cells, checksums
from nacre.codec.areas import tiles
from nacre.codec.container import Cells, Head, Stream
from nacre.codec.limits import check_limits
from nacre.codec.region import Region
from nacre.codec.run import limits_of
from nacre.codec.strips import DTYPES, Pixels

ROWS = 256  # of pixels at a time


def write(pixels: Pixels, tile: int, care: int) -> Iterator[Cells]:
    """The CELL chunks of pixels (H, W, 1 or 3) without loss; each is read again and compared."""
    height, width = pixels.shape[:2]
    for number, area in enumerate(tiles(width, height, tile)):
        own = pixels[area.pixels(1)]
        found = cells.all_exact(number, own, care)
        shown = cells.read(found, own.shape, 8 * pixels.itemsize).pixels
        if not np.array_equal(shown, own):
            raise RuntimeError("the picture does not read back: a fault of nacre, please report it")
        yield found


class StoredBody:
    """Undoes `write` for a region."""

    def __init__(self, head: Head, region: Region, options: Mapping[str, Any]) -> None:
        check_limits(head, None, limits_of(options))
        self._region = region
        self.tiles = region.tiles(head, 1)

    def require_all_layers(self, stream: Stream) -> None:
        """This coding has no layers."""

    def rows(self, stream: Stream, expected: int | None) -> Iterator[Pixels]:
        checksums.compare(stream, dict.fromkeys(sorted(self.tiles), 0), expected)
        yield from stored_rows(stream, self._region)

    def parse(self, stream: Stream, expected: int | None) -> None:
        for _ in self.rows(stream, expected):
            pass


def stored_rows(stream: Stream, region: Region) -> Iterator[Pixels]:
    """Rows of the region, made of cells alone."""
    head, overlay = stream.head, cells.Overlay(stream)
    for top in range(0, region.height, ROWS):
        height = min(ROWS, region.height - top)
        pixels = np.zeros((height, region.width, head.colours), DTYPES[head.bit_depth])
        overlay.put(pixels, region.y + top, region.x)
        yield pixels


BODY = StoredBody

"""Nacre files to pictures: `codec.decode`, and `codec.Opened` for pictures of any size."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from nacre.codec import alpha, cells, memory, setup, strips, tiles
from nacre.codec.chunks import Bytes
from nacre.codec.container import Coding, Head, Limits, Stream, read_head
from nacre.codec.pictures.colour import Picture, to_pil
from nacre.codec.tiles import LAYERS
from nacre.entropy.errors import CorruptStream, UsageError
from nacre.models import zoo
from nacre.models.config import STRIDE

BLANK_ROWS = 256  # at a time, of pictures without a latent


class CutFileWarning(UserWarning):
    """The file ends early; the picture is made from what is there."""


@dataclass(frozen=True)
class Region:
    """A part of a picture in pixels, as the pixels lie in the file."""

    x: int
    y: int
    width: int
    height: int

    def check(self, head: Head) -> None:
        inside = self.x >= 0 and self.y >= 0 and self.width >= 1 and self.height >= 1
        if not inside or self.x + self.width > head.width or self.y + self.height > head.height:
            raise UsageError(
                f"region {self.x},{self.y},{self.width},{self.height} is not inside {head.width}x{head.height}"
            )


def decode(
    data: Bytes,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    limits: Limits = Limits(),
    region: Region | None = None,
    preview: bool = False,
    strict: bool = False,
) -> Image.Image:
    """Read a file: a PIL image of mode RGB, RGBA, L, LA or I;16, with ICC, EXIF and XMP in its `info`.

    Pillow has no 16-bit colour: it is rounded to 8 bits with an ImageWarning; `Opened(data).picture()`
    keeps it.

    The model is the one that the file names; `model`, a path, adds one to those that are embedded.
    `region` decodes a part of the picture, and reads the tiles that it needs alone. `preview` reads the
    first layer alone. A file that ends behind its first layer is decoded with a CutFileWarning, unless
    `strict`. Raises StreamError (TruncatedStream, CorruptStream, UnsupportedStream), LimitError or
    WeightsError, and UsageError for a region outside the picture.
    """
    return to_pil(
        Opened(
            data, model=model, device=device, precision=precision, limits=limits, region=region,
            preview=preview, strict=strict,
        ).picture()
    )  # fmt: skip


class Opened:
    """A file whose picture is decoded row by row: what `decode` is made of, for pictures of any size.

    Takes what `decode` takes. Nothing but the chunks is read until `rows` is called.
    """

    def __init__(
        self,
        data: Bytes,
        *,
        model: str | Path | None = None,
        device: str = "cpu",
        precision: str = "float32",
        limits: Limits = Limits(),
        region: Region | None = None,
        preview: bool = False,
        strict: bool = False,
    ) -> None:
        self.head = head = read_head(data, limits)
        self._region = Region(0, 0, head.width, head.height) if region is None else region
        self._region.check(head)
        beyond = 0  # rows and columns of the latent, around the region
        if head.coding == Coding.CELLS:
            setup.check_limits(head, None, limits)
        else:
            self._runner = setup.runner(zoo.model_of_stream(head.model, model), device, precision)
            config = self._runner.model.config
            setup.check_limits(head, config, limits)
            beyond = strips.halo(config)
        self._window = self._area_of(self._region, beyond)
        self._tiles = {
            i: area
            for i, area in enumerate(tiles.areas(head.width, head.height, head.tile))
            if area.meets(self._window)
        }
        stream = Stream.from_bytes(
            data,
            limits,
            may_be_cut=not strict,
            tiles=None if region is None else self._tiles,
            only_first=preview,
        )
        self.metadata, self._alpha = stream.metadata, stream.alpha
        self._parts: dict[int, list[tiles.Part]] = {}
        for latent in stream.latents:
            part = tiles.Part(latent.first, latent.last, latent.data)
            self._parts.setdefault(latent.tile, []).append(part)
        self._cells = {found.tile: found for found in stream.cells}
        is_partial = preview or region is not None
        self._checksum = stream.end.checksum if stream.end and not is_partial else None
        if stream.end is None:
            size = sum(len(part.data) for part in stream.latents)
            size += sum(len(part.to_bytes()) for part in stream.cells)
            warnings.warn(
                f"the file is cut: {size} coded bytes of it make a coarser picture",
                CutFileWarning,
                stacklevel=3,
            )
        elif not preview and head.coding == Coding.LATENT:
            self._need_all_layers()

    def parse(self) -> None:
        """Read every symbol, and every cell, without making a picture; raises CorruptStream."""
        with torch.inference_mode(), setup.memory_errors_named():
            if self.head.coding == Coding.LATENT:
                for _ in self._bands():
                    pass
            for _ in self._blank_rows():
                pass

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of what `rows` gives."""
        return self._region.height, self._region.width

    def picture(self) -> Picture:
        """All of it: samples of 8 or 16 bits, transparency, metadata. Raises CorruptStream or LimitError."""
        with setup.memory_errors_named():
            pixels = np.empty((*self.size, self.head.colours), self.dtype)
            for top, rows in self.rows():
                pixels[top : top + len(rows)] = rows
            metadata = {m.kind: m.data for m in self.metadata}
            return Picture(pixels, metadata, self.head.orientation, self.alpha())

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples that `rows` gives."""
        return np.dtype(strips.DTYPES[self.head.bit_depth])

    def alpha(self) -> alpha.Plane | None:
        """(H, W) transparency, 0 transparent and 255 (65535) opaque, or None; raises CorruptStream."""
        if self._alpha is None:
            return None
        region = self._region
        plane = alpha.from_bytes(self._alpha.data, self.head.width, self.head.height)
        return plane[region.y : region.y + region.height, region.x : region.x + region.width]

    def rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        """(top, rows (n, W, 1 or 3)), downwards. Raises CorruptStream, at the latest with the last rows."""
        rows = self._rows()
        while True:
            with torch.inference_mode(), setup.memory_errors_named():  # not while others work
                found = next(rows, None)
            if found is None:
                return
            yield found

    def _rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        """Rows of the region; the checksum has been compared before the last of them."""
        if self.head.coding == Coding.CELLS:
            yield from self._blank_rows()
            return
        region, window, head = self._region, self._window, self.head
        left = region.x - window.left * STRIDE
        at = window.top * STRIDE - region.y  # of the block's first row, in the region
        blocks = strips.synthesise(
            self._runner,
            self._bands(),
            (window.height, window.width),
            setup.level(head.quality, self._runner.device),
            head.colours,
            head.bit_depth,
        )
        overlay = self._overlay()
        for pixels in blocks:
            first, last = max(0, -at), min(len(pixels), region.height - at)
            if first < last:
                own = pixels[first:last, left : left + region.width]
                overlay.put(own, region.y + at + first, region.x)
                yield at + first, own
            at += len(pixels)

    def _blank_rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        """Rows of the region with nothing but cells in them."""
        region, overlay = self._region, self._overlay()
        if self.head.coding == Coding.CELLS:
            self._check({tile: 0 for tile in self._tiles})
        for top in range(0, region.height, BLANK_ROWS):
            rows = min(BLANK_ROWS, region.height - top)
            pixels = np.zeros((rows, region.width, self.head.colours), self.dtype)
            overlay.put(pixels, region.y + top, region.x)
            yield top, pixels

    def _overlay(self) -> cells.Overlay:
        head = self.head
        size = (head.height, head.width, head.colours)
        return cells.Overlay(self._cells, size, head.tile, head.bit_depth)

    def _bands(self) -> Iterator[strips.Band]:
        """Rows of tiles, one row of them after the other, cut to the window."""
        checksums: dict[int, int] = {}
        width, config = self._window.width, self._runner.model.config
        for _, row in itertools.groupby(self._tiles.items(), key=lambda item: item[1].top):
            band: strips.Band | None = None
            for tile, area in row:
                decoded = tiles.decode_tile(
                    self._runner, self._parts[tile], area.height, area.width, self.head.quality
                )
                checksums[tile] = decoded.checksum
                rows, columns = area.inside(self._window)
                if band is None:
                    shape = (rows.stop - rows.start, width)
                    band = strips.Band.empty(shape, config, self._runner.device)
                at = area.left + columns.start - self._window.left
                band.put(
                    at, decoded.y_hat[:, :, rows, columns], decoded.features[:, :, rows, columns]
                )
                del decoded
            if len(checksums) == len(self._tiles):
                self._check(checksums)
            assert band is not None
            if band.rows < self._window.height:
                memory.give_back_freed()
            yield band
            del band  # while others work

    def _check(self, checksums: dict[int, int]) -> None:
        """Compare the checksums of the symbols of all tiles, cells included, with what the file says."""
        of_tiles = [tiles.checksum(crc, self._cells.get(tile)) for tile, crc in checksums.items()]
        found = setup.file_checksum(self.head, self._alpha, of_tiles)
        if self._checksum is not None and found != self._checksum:
            raise CorruptStream(
                "the symbols are not those that were written: their checksum differs"
            )

    def _need_all_layers(self) -> None:
        for tile, parts in self._parts.items():
            if parts[-1].last != LAYERS - 1:
                raise CorruptStream(f"tile {tile} has {parts[-1].last + 1} layers, not {LAYERS}")

    def _area_of(self, region: Region, beyond: int) -> tiles.Area:
        """The positions of the latent that a region and a halo of `beyond` positions need."""
        height, width = (-(-side // STRIDE) for side in (self.head.height, self.head.width))
        return tiles.Area(
            max(0, region.y // STRIDE - beyond),
            min(height, -(-(region.y + region.height) // STRIDE) + beyond),
            max(0, region.x // STRIDE - beyond),
            min(width, -(-(region.x + region.width) // STRIDE) + beyond),
        )

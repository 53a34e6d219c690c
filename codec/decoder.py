"""Nacre files to pictures: `codec.decode`, and `codec.Opened` for pictures of any size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from typing_extensions import Unpack

from nacre.codec import alpha, strips
from nacre.codec.bodies import open_body
from nacre.codec.chunks import Bytes
from nacre.codec.container import Stream, read_head
from nacre.codec.pictures.colour import Picture, to_pil
from nacre.codec.region import Region
from nacre.codec.run import RunOptions, limits_of, memory_errors_named


class CutFileWarning(UserWarning):
    """The file ends early; the picture is made from the layers that are there."""


def decode(
    data: Bytes,
    *,
    region: Region | None = None,
    preview: bool = False,
    strict: bool = False,
    **options: Unpack[RunOptions],
) -> Image.Image:
    """Read a file: a PIL image of mode RGB, RGBA, L, LA or I;16, with ICC, EXIF and XMP in its `info`.

    Pillow has no 16-bit colour: it is rounded to 8 bits with an ImageWarning; `Opened(data).picture()`
    keeps it.

    The file names its model; the option `model` adds one to those that are installed.
    `region` decodes a part of the picture, and reads only the tiles that it needs. `preview` reads only the
    first layer. A file that ends behind its first layer is decoded with a CutFileWarning, unless
    `strict`. Raises StreamError (TruncatedStream, CorruptStream, UnsupportedStream), LimitError or
    WeightsError, and UsageError for a region outside the picture.
    """
    return to_pil(Opened(data, region=region, preview=preview, strict=strict, **options).picture())


class Opened:
    """A file whose picture is decoded row by row, for pictures of any size; `decode` uses it.

    Takes the arguments of `decode`. Only the chunks are read until `rows` is called.
    """

    def __init__(
        self,
        data: Bytes,
        *,
        region: Region | None = None,
        preview: bool = False,
        strict: bool = False,
        **options: Unpack[RunOptions],
    ) -> None:
        limits = limits_of(options)
        self.head = head = read_head(data, limits)
        self._region = Region(0, 0, head.width, head.height) if region is None else region
        self._region.check(head)
        self._body = open_body(head, self._region, options)
        self._stream = stream = Stream.from_bytes(
            data,
            limits,
            may_be_cut=not strict,
            tiles=None if region is None else self._body.tiles,
            only_first=preview,
        )
        self.metadata = stream.metadata
        is_partial = preview or region is not None
        self._expected = stream.end.checksum if stream.end and not is_partial else None
        if stream.end is None:
            size = sum(len(part.data) for part in stream.latents)
            size += sum(len(part.to_bytes()) for part in stream.cells)
            warnings.warn(
                f"the file is cut: {size} coded bytes of it make a coarser picture",
                CutFileWarning,
                stacklevel=3,
            )
        elif not preview:
            self._body.require_all_layers(stream)

    def parse(self) -> None:
        """Read every symbol, cell and the transparency, without a picture; raises CorruptStream."""
        with torch.inference_mode(), memory_errors_named():
            self.alpha()
            self._body.parse(self._stream, self._expected)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the region."""
        return self._region.height, self._region.width

    def picture(self) -> Picture:
        """The region as a Picture of 8 or 16 bits, with metadata. Raises CorruptStream or LimitError."""
        with memory_errors_named():
            pixels = np.empty((*self.size, self.head.colours), self.dtype)
            for top, rows in self.rows():
                pixels[top : top + len(rows)] = rows
            metadata = {m.kind: m.data for m in self.metadata}
            return Picture(pixels, metadata, self.head.orientation, self.alpha())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the samples of `rows`."""
        return np.dtype(strips.DTYPES[self.head.bit_depth])

    def alpha(self) -> alpha.Plane | None:
        """(H, W) transparency, 0 transparent and 255 (65535) opaque, or None; raises CorruptStream."""
        if self._stream.alpha is None:
            return None
        region = self._region
        plane = alpha.from_bytes(self._stream.alpha.data, self.head.width, self.head.height)
        return plane[region.y : region.y + region.height, region.x : region.x + region.width]

    def rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        """(top, rows (n, W, 1 or 3)), downwards. Raises CorruptStream, at the latest with the last rows."""
        rows, top = self._body.rows(self._stream, self._expected), 0
        while True:
            # Between rows torch has the state of the caller.
            with torch.inference_mode(), memory_errors_named():
                found = next(rows, None)
            if found is None:
                return
            yield top, found
            top += len(found)
            del found

"""TIFF files: a reader for 16-bit colour, which Pillow reads as 8 bits, and a writer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.pictures import ifd
from nacre.entropy.errors import ImageError

Deep = NDArray[np.uint16]

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, SAMPLES, STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, EXTRA, FORMAT = 322, 323, 324, 325, 338, 339
ASSOCIATED, STRAIGHT = 1, 2  # kinds of alpha: colours are multiplied by it, or not
LARGE_TILE = 2**24  # pixels; a larger tile is refused unless the picture is of that size
ROOM = 2**32 - 2**16  # bytes; offsets have 32 bits


def read(data: bytes) -> Deep:
    """16-bit RGB (H, W, 3) or RGBA (H, W, 4), orientation not applied, alpha straight; raises ImageError."""
    try:
        tags = _Tags(data)
        samples = tags.samples(data)
        if samples.shape[2] == 3 or tags.extra == 0:
            return samples[..., :3]
        return _straight(samples[..., :4]) if tags.extra == ASSOCIATED else samples[..., :4]
    except (ValueError, KeyError, IndexError, TypeError, OSError, SyntaxError) as error:
        raise ImageError(f"a TIFF of 16-bit colour cannot be read: {error}") from error


def _straight(samples: Deep) -> Deep:
    """RGBA with colours divided by alpha: associated to straight."""
    alpha = samples[..., 3:].astype(np.uint64)
    whole = (samples[..., :3] * np.uint64(65535) + alpha // 2) // np.maximum(alpha, 1)
    colours = np.where(alpha > 0, np.minimum(whole, 65535), 0).astype(np.uint16)
    return np.concatenate([colours, samples[..., 3:]], 2)


class _Tags:
    """The tags of the first image: layout and compression of its samples."""

    def __init__(self, data: bytes) -> None:
        self._found = found = ifd.fields(data)
        self.width, self.height, self.channels = map(self._number, (WIDTH, HEIGHT, SAMPLES))
        bits = found[BITS].numbers()
        formats = found[FORMAT].numbers() if FORMAT in found else (1,)
        if self._number(PHOTOMETRIC) != 2 or set(bits) != {16} or set(formats) != {1}:
            raise ValueError("not RGB of 16 bits a sample")
        extra = found[EXTRA].numbers() if EXTRA in found else (STRAIGHT,)
        self.extra = extra[0] if self.channels > 3 else 0
        self.order = found[BITS].order
        self.is_planar = self._number(PLANAR, 1) == 2
        self.predictor = self._number(PREDICTOR, 1)
        if self.channels < 3 or self.predictor not in (1, 2):
            raise ValueError(f"{self.channels} channels, predictor {self.predictor}")

    def _number(self, tag: int, usual: int | None = None) -> int:
        if tag not in self._found and usual is not None:
            return usual
        return self._found[tag].numbers()[0]

    def samples(self, data: bytes) -> Deep:
        out = np.zeros((self.height, self.width, self.channels), np.uint16)
        for piece, (top, left, planes, rows, columns) in zip(
            self._pieces(data), self._places(), strict=False
        ):
            own = out[top : top + rows, left : left + columns, planes]
            found = self._unpacked(piece, rows, columns, own.shape[2])
            own[...] = found[: own.shape[0], : own.shape[1]]
        return out

    def _places(self) -> Iterator[tuple[int, int, slice, int, int]]:
        """Top, left, channels, rows and columns of every strip or tile, in the order of the offsets."""
        is_tiled = TILES in self._found
        columns = self._number(TILE_WIDTH) if is_tiled else self.width
        rows = self._number(TILE_HEIGHT) if is_tiled else self._number(STRIP_ROWS, self.height)
        if rows < 1 or columns < 1:
            raise ValueError("strips or tiles without rows")
        if is_tiled and rows * columns > max(LARGE_TILE, 4 * self.height * self.width):
            raise ValueError(f"tiles of {columns}x{rows}")
        singles = [slice(i, i + 1) for i in range(self.channels)]
        for planes in singles if self.is_planar else [slice(None)]:
            for top in range(0, self.height, rows):
                high = rows if is_tiled else min(rows, self.height - top)
                for left in range(0, self.width, columns):
                    yield top, left, planes, high, columns

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        kinds = (TILES, TILE_BYTES) if TILES in self._found else (STRIPS, STRIP_BYTES)
        places, sizes = (self._found[kind].numbers() for kind in kinds)
        if len(places) != len(list(self._places())) or len(sizes) != len(places):
            raise ValueError(f"{len(places)} strips or tiles are no picture")
        for place, size in zip(places, sizes, strict=True):
            yield data[place : place + size]

    def _unpacked(self, piece: bytes, rows: int, columns: int, channels: int) -> Deep:
        """(rows, columns, channels) of a strip or tile."""
        row_bytes = 2 * columns * channels
        compression = self._number(COMPRESSION, 1)
        if compression != 1:
            piece = self._decompressed(piece, row_bytes, rows, compression)
        samples = np.frombuffer(piece, self.order + "u2", rows * columns * channels)
        samples = samples.astype(np.uint16).reshape(rows, columns, channels)
        if self.predictor == 2 and compression != 1:
            samples = np.cumsum(samples, 1, np.uint16)
        return samples

    def _decompressed(self, piece: bytes, row_bytes: int, rows: int, compression: int) -> bytes:
        """Decompress by libtiff. The bytes are declared as 8-bit grey, so that they are not converted."""
        told = {
            WIDTH: row_bytes, HEIGHT: rows, BITS: 8, COMPRESSION: compression, PHOTOMETRIC: 1,
            FILL_ORDER: self._number(FILL_ORDER, 1), STRIPS: 8, SAMPLES: 1, STRIP_ROWS: rows,
            STRIP_BYTES: len(piece),
        }  # fmt: skip
        piece += b"\0" * (len(piece) % 2)
        at = 8 + len(piece)
        head = ifd.EMPTY[:4] + struct.pack("<I", at)
        wrapped = head + piece + ifd.directory(ifd.EMPTY, at, (), dict(told))
        size = (row_bytes, rows)
        return Image.frombytes("L", size, wrapped, "libtiff", ("L", False, at)).tobytes()


def write(pixels: NDArray[Any], exif: bytes = b"", icc: bytes = b"", xmp: bytes = b"") -> bytes:
    """An uncompressed file of (H, W, 1 to 4) uint8 or uint16; raises ImageError over 4 GiB.

    The file begins with the EXIF block, so that offsets in it stay valid; a new directory follows the pixels.
    """
    height, width, channels = pixels.shape
    block = exif if ifd.is_block(exif) else ifd.EMPTY
    order = "<" if block[:2] == b"II" else ">"
    block += b"\0" * (len(block) % 2)
    samples = pixels.astype(f"{order}u{pixels.itemsize}").tobytes()
    if len(block) + len(samples) + len(icc) + len(xmp) > ROOM:
        raise ImageError("too large for TIFF: 4 GiB is the limit")
    samples += b"\0" * (len(samples) % 2)
    rows = max(1, (1 << 16) // (len(samples) // height))
    row_bytes = width * channels * pixels.itemsize
    tops = range(0, height, rows)
    told: dict[int, ifd.Value | ifd.Text] = {
        WIDTH: width,
        HEIGHT: height,
        BITS: (8 * pixels.itemsize,) * channels,
        COMPRESSION: 1,
        PHOTOMETRIC: 2 if channels > 2 else 1,
        STRIPS: tuple(len(block) + top * row_bytes for top in tops),
        SAMPLES: channels,
        STRIP_ROWS: rows,
        STRIP_BYTES: tuple(min(rows, height - top) * row_bytes for top in tops),
        PLANAR: 1,
    }
    told |= {EXTRA: STRAIGHT} if channels % 2 == 0 else {}
    told |= {tag: data for tag, data in ((ifd.ICC, icc), (ifd.XMP, xmp)) if data}
    at = len(block) + len(samples)
    head = block[:4] + struct.pack(order + "I", at)
    own = ifd.directory(block, at, ifd.STRUCTURE, told, is_last=True)
    return b"".join([head, block[8:], samples, own])

"""PNG files without Pillow: reading and inserting chunks, and a writer for 16-bit samples."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD_BYTES = len(SIGNATURE) + 25  # with the first chunk, IHDR
PIXELS_BEGIN = {b"IDAT", b"IEND"}
INCH = 0.0254  # metres


def chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Type and data of the chunks before the first IDAT."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind in PIXELS_BEGIN:
            return
        yield kind, file.read(size)
        file.read(4)


def bit_depth(file: IO[bytes]) -> int:
    """Bits per sample, or per palette index; 8 where there is no IHDR."""
    return next((data[8] for kind, data in chunks(file) if kind == b"IHDR" and len(data) > 8), 8)


def with_chunks(data: bytes, added: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG file with chunks inserted after IHDR; they replace those of the same types, except iTXt."""
    kinds = {kind for kind, _ in added} - {b"iTXt"}
    out, at = [data[:HEAD_BYTES], *(_chunk(*chunk) for chunk in added)], HEAD_BYTES
    while data[at + 4 : at + 8] not in PIXELS_BEGIN:
        end = at + 12 + struct.unpack_from(">I", data, at)[0]
        if data[at + 4 : at + 8] not in kinds:
            out.append(data[at:end])
        at = end
    return b"".join([*out, data[at:]])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def icc_chunk(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile, 9)


def exif_chunk(block: bytes) -> tuple[bytes, bytes]:
    return b"eXIf", block


def xmp_chunk(text: str) -> tuple[bytes, bytes]:
    return b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode()


def density_chunk(x: float, y: float, is_inch: bool) -> tuple[bytes, bytes]:
    """pHYs: dots per inch, or with `is_inch` false the aspect ratio of a pixel."""
    unit = INCH if is_inch else 1
    dots = (min(round(value / unit), 2**31 - 1) for value in (x, y))
    return b"pHYs", struct.pack(">IIB", *dots, is_inch)


BAND_BYTES = 1 << 20
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by channels
PAETH = 4


def write(pixels: NDArray[Any]) -> bytes:
    """A PNG file of (H, W, 1 to 4) uint8 or uint16."""
    height, width, channels = pixels.shape
    depth = pixels.itemsize
    head = struct.pack(">IIBB3x", width, height, 8 * depth, COLOUR_TYPES[channels])
    packer, packed = zlib.compressobj(6), []
    rows = max(1, BAND_BYTES // (width * channels * depth))
    above = np.zeros((1, width * channels * depth), np.uint8)
    for top in range(0, height, rows):
        band = np.ascontiguousarray(pixels[top : top + rows], f">u{depth}")
        own = band.view(np.uint8).reshape(len(band), -1)
        packed.append(packer.compress(_filtered(own, above, channels * depth)))
        above = own[-1:]
    body = b"".join([*packed, packer.flush()])
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8], step: int) -> bytes:
    """Rows of bytes after the Paeth filter; `above` is the previous row, `step` the bytes per pixel."""
    b = np.concatenate([above, rows[:-1]]).astype(np.int16)
    a, c = np.zeros_like(b), np.zeros_like(b)
    a[:, step:], c[:, step:] = rows[:, :-step], b[:, :-step]
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    out[:, 0] = PAETH
    out[:, 1:] = rows - nearest.astype(np.uint8)
    return out.tobytes()

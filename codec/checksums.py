"""The checksum of a file: over its symbols, its cells, its head and its transparency."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from nacre.codec.container import Alpha, Cells, Head, Stream
from nacre.entropy.errors import CorruptStream


def tile_checksum(of_symbols: int, cells: Cells | None) -> int:
    """CRC-32 of a tile: over its symbols (0 without any), continued over the payload of CELL."""
    return of_symbols if cells is None else zlib.crc32(cells.to_bytes(), of_symbols)


def file_checksum(head: Head, plane: Alpha | None, of_tiles: list[int]) -> int:
    """CRC-32 over the payloads of HEAD and ALPH and the checksums of the tiles, 32 bits each."""
    before = zlib.crc32(plane.to_bytes() if plane is not None else b"", zlib.crc32(head.to_bytes()))
    return zlib.crc32(struct.pack(f"<{len(of_tiles)}I", *of_tiles), before)


def compare(stream: Stream, of_symbols: Mapping[int, int], expected: int | None) -> None:
    """Raises CorruptStream unless the tiles have the symbols and cells that were written.

    `of_symbols` has the checksum of the symbols of every tile, in order. Nothing is compared if `expected` is
    None.
    """
    cells = {found.tile: found for found in stream.cells}
    of_tiles = [tile_checksum(crc, cells.get(tile)) for tile, crc in of_symbols.items()]
    if expected is not None and file_checksum(stream.head, stream.alpha, of_tiles) != expected:
        raise CorruptStream(
            "the decoded symbols differ from the written ones: the checksum does not match"
        )

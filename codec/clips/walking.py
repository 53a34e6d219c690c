"""Finds the chunks of a clip without the index: by lengths, and after damage by types and checksums."""

from __future__ import annotations

from collections.abc import Iterator

from nacre.codec.chunks import (
    CRC_BYTES,
    TYPE_BYTES,
    VARINT_MAX_BYTES,
    Chunk,
    FileBytes,
    chunk_at,
    read_varint,
)
from nacre.codec.clips.annotations import ANNOTATION_TYPES
from nacre.codec.clips.payloads import (
    MAX_GOP,
    ClipEnd,
    FrameRow,
    Gop,
    GopIndex,
    GopPlace,
    Packets,
    whole_rows,
)
from nacre.entropy.errors import CorruptStream, TruncatedStream

View = memoryview | FileBytes
TYPES = (Gop.TYPE, Packets.TYPE, GopIndex.TYPE, ClipEnd.TYPE)
ALL_TYPES = TYPES + ANNOTATION_TYPES
BLOCK_BYTES = 1 << 20  # read at once in the search for a chunk
ROW_BYTES = 6 + 3 * 10  # of a frame in the table of a GOP, at most
SPARE_BYTES = 64 << 20  # that the search may check, in addition to twice the size of the file


def found_chunks(view: View, start: int, stop: int) -> Iterator[Chunk]:
    """Chunks that begin from `start` up to `stop`; a last one may end behind the file.

    After a damaged length or type, the next chunk is the next one whose checksum matches.
    """
    at = start
    search = _Search(view)
    while at < stop:
        try:
            chunk = chunk_at(view, at, may_be_cut=True)
            if chunk.at + chunk.size <= len(view) and _is_followed(chunk):
                yield chunk
                at += chunk.size
                continue
        except (CorruptStream, TruncatedStream):
            chunk = None
        place = search.next(at + 1)
        if place is None:
            if chunk is not None and chunk.at + chunk.size > len(view):
                yield chunk
            return
        at = place


def places_by_walking(view: View, start: int) -> Iterator[GopPlace]:
    """Places of the GOPs whose table is whole; a cut GOP counts its whole frames only."""
    for chunk in found_chunks(view, start, len(view)):
        if chunk.kind != Gop.TYPE:
            continue
        try:
            rows, at = read_table(chunk)
        except CorruptStream:
            continue
        if rows := whole_rows(rows, chunk.start + at, len(view)):
            last = rows[-1]
            yield GopPlace(chunk.at, rows[0].pts, last.pts + last.duration, len(rows))


def read_table(chunk: Chunk) -> tuple[list[FrameRow], int]:
    """The table of a GOP and the offset of its end; reads only the table. Raises CorruptStream."""
    size, at = read_varint(chunk.first_bytes(VARINT_MAX_BYTES), 0, "GOPS")
    if size > 16 + ROW_BYTES * MAX_GOP:
        raise CorruptStream(f"GOPS: a table of {size} bytes")
    return Gop.table(chunk.first_bytes(at + size + CRC_BYTES))


def _is_followed(chunk: Chunk) -> bool:
    """Whether its length is right: the file ends or a chunk begins behind it, or its checksum matches."""
    end = chunk.at + chunk.size
    behind = bytes(chunk.source[end : end + TYPE_BYTES])
    if len(behind) < TYPE_BYTES or behind in ALL_TYPES:
        return True
    try:
        chunk.checked()
    except CorruptStream:
        return False
    return True


class _Search:
    """Finds the next chunk whose checksum matches; gives up after checking too many bytes."""

    def __init__(self, view: View) -> None:
        self._view, self._left = view, 2 * len(view) + SPARE_BYTES

    def next(self, at: int) -> int | None:
        while at < len(self._view):
            block = bytes(self._view[at : at + BLOCK_BYTES + TYPE_BYTES - 1])
            for offset in _offsets(block):
                if self._is_chunk(at + offset):
                    return at + offset
                if self._left < 0:
                    return None
            at += BLOCK_BYTES
        return None

    def _is_chunk(self, at: int) -> bool:
        try:
            chunk = chunk_at(self._view, at)
            self._left -= chunk.size
            chunk.checked()
        except (CorruptStream, TruncatedStream):
            return False
        return True


def _offsets(block: bytes) -> list[int]:
    """Offsets of all type names in a block, in order."""
    found = []
    for kind in TYPES:
        at = block.find(kind)
        while at >= 0:
            found.append(at)
            at = block.find(kind, at + 1)
    return sorted(found)

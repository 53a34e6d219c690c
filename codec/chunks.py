"""The framing of a nacre file: a signature, then chunks with checksums.

A chunk is its type (four letters), the length of its payload (varint), the payload, and a CRC-32
over all three. Numbers are little-endian. FORMAT.md, sections 2 and 3, in code.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, overload

from nacre.entropy.errors import CorruptStream, StreamError, TruncatedStream, UsageError

# A byte over 127, a name, CR LF, the DOS end of file, LF: transfers in text mode change it.
SIGNATURE = b"\x89NCR\r\n\x1a\n"
TYPE_BYTES, CRC_BYTES, VARINT_MAX_BYTES = 4, 4, 5


class FileBytes:
    """The bytes of an open file from `first` on, read on request: skipped bytes are never read."""

    def __init__(self, file: BinaryIO, first: int = 0) -> None:
        self._file, self._first = file, first
        self._size = file.seek(0, 2) - first
        self.bytes_read = 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    def __getitem__(self, key: int | slice) -> int | bytes:
        """One byte, or a slice without a step; raises TruncatedStream where the file has shrunk."""
        start, stop, _ = (key if isinstance(key, slice) else slice(key, key + 1)).indices(
            self._size
        )
        self._file.seek(self._first + start)
        found = self._file.read(max(0, stop - start))
        self.bytes_read += len(found)
        if len(found) < stop - start:
            raise TruncatedStream("the file became shorter while it was read")
        return found if isinstance(key, slice) else found[0]


Bytes = bytes | memoryview | FileBytes


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, low ones first, the top bit says that more follow."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(
    data: memoryview | FileBytes | bytes,
    at: int,
    what: str,
    too_short: type[StreamError] = CorruptStream,
) -> tuple[int, int]:
    """Undo `write_varint`; returns the value and the position after it. Longer spellings are refused.

    Raises CorruptStream, and `too_short` where the data end inside the number.
    """
    value = 0
    for i in range(VARINT_MAX_BYTES):
        if at + i >= len(data):
            raise too_short(f"{what}: the data end inside a number")
        byte = data[at + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            if (i and not byte) or value >= 2**32:
                raise CorruptStream(f"{what}: a number is spelled too long or is too large")
            return value, at + i + 1
    raise CorruptStream(f"{what}: a number of more than {VARINT_MAX_BYTES} bytes")


@dataclass(frozen=True)
class Chunk:
    """The place of a chunk in a file; `checked` compares its checksum."""

    kind: bytes
    source: memoryview | FileBytes
    at: int  # bytes from the start of the file
    start: int  # of the payload
    end: int  # of the payload, where the checksum begins

    @property
    def size(self) -> int:
        return self.end + CRC_BYTES - self.at

    def first_bytes(self, count: int) -> bytes:
        """The first bytes of the payload, `count` or fewer; not checked."""
        return bytes(self.source[self.start : min(self.end, self.start + count)])

    def checked(self) -> bytes:
        """The payload; raises CorruptStream when its checksum does not match."""
        whole = self.source[self.at : self.end + CRC_BYTES]
        if zlib.crc32(whole[:-CRC_BYTES]) != int.from_bytes(whole[-CRC_BYTES:], "little"):
            name = self.kind.decode()
            raise CorruptStream(f"{name}: the checksum does not match, the file is damaged")
        return bytes(whole[self.start - self.at : self.end - self.at])


def chunk_to_bytes(kind: bytes, payload: bytes) -> bytes:
    if len(payload) >= 2**32:
        raise UsageError(f"a {kind.decode()} chunk of {len(payload)} bytes is over 4 GiB")
    body = kind + write_varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def read_chunks(data: Bytes) -> Iterator[Chunk]:
    """The chunks in order; each must end within the file."""
    view = data if isinstance(data, FileBytes) else memoryview(data)
    check_signature(bytes(view[: len(SIGNATURE)]))
    at = len(SIGNATURE)
    while at < len(view):
        chunk = chunk_at(view, at)
        yield chunk
        at += chunk.size


def chunk_at(view: memoryview | FileBytes, at: int, *, may_be_cut: bool = False) -> Chunk:
    """The chunk that begins at byte `at`. Raises CorruptStream, and TruncatedStream if it ends behind the file.

    With `may_be_cut` the payload and the checksum may end behind the file.
    """
    kind = bytes(view[at : at + TYPE_BYTES])
    if len(kind) < TYPE_BYTES:
        raise TruncatedStream(f"chunk type: {TYPE_BYTES} bytes needed, {len(kind)} left")
    if not (kind.isascii() and kind.isalpha()):
        raise CorruptStream(f"chunk type {kind!r} is not four letters")
    name = kind.decode()
    size, start = read_varint(view, at + TYPE_BYTES, name, TruncatedStream)
    end = start + size
    if end + CRC_BYTES > len(view) and not may_be_cut:
        raise TruncatedStream(f"{name}: {size + CRC_BYTES} bytes needed, {len(view) - start} left")
    return Chunk(kind, view, at, start, end)


def check_signature(start: bytes) -> None:
    """Raises StreamError unless a file begins with the signature."""
    if start == SIGNATURE:
        return
    if not start:
        raise TruncatedStream("the file is empty")
    if SIGNATURE.startswith(start):
        raise TruncatedStream(f"signature: {len(SIGNATURE)} bytes needed, {len(start)} left")
    if start[1:4] == SIGNATURE[1:4]:
        raise CorruptStream("the signature is damaged, as by a transfer in text mode")
    raise StreamError("not a nacre file: the signature is missing")

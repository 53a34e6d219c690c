"""The bytes of a nacre file, without any network: FORMAT.md in code.

A file is the signature and then chunks: HEAD, any `meta`, one LATN for each layer and tile, TEND.
A chunk is its type (four letters), the length of its payload (varint), the payload, and a CRC-32
over all three. The first letter of an unknown type tells whether a reader may skip it (lower
case) or must refuse the file (upper case). Numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field
from enum import IntEnum
from typing import ClassVar

from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    StreamError,
    TruncatedStream,
    UnsupportedStream,
    UsageError,
)

# Above 127 first, then a name, CR LF, the DOS end of file, LF: text-mode transfers show at once.
SIGNATURE = b"\x89NCR\r\n\x1a\n"
VERSION = 1
MAX_QUALITY = 100
MAX_SIDE = 2**31 - 1  # pixels
MIN_TILE_LOG2, MAX_TILE_LOG2 = 6, 15  # sides of a tile: 64 to 32768 pixels
TYPE_BYTES, CRC_BYTES, VARINT_MAX_BYTES = 4, 4, 5
MODEL_ID_BYTES = 8


@dataclass(frozen=True)
class Limits:
    """What a reader accepts; checked before anything of that size is allocated."""

    pixels: int = 2**28
    memory_bytes: int = 4 << 30
    metadata_bytes: int = 64 << 20


class Kind(IntEnum):
    """What a file holds."""

    STILL = 0
    CLIP = 1


class MetaKind(IntEnum):
    """What a `meta` chunk holds."""

    ICC = 1
    EXIF = 2
    XMP = 3


def write_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, low ones first, the top bit says that more follow."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: memoryview, at: int, what: str) -> tuple[int, int]:
    """Undo `write_varint`; returns the value and the position after it. Longer spellings are refused."""
    value = 0
    for i in range(VARINT_MAX_BYTES):
        if at + i >= len(data):
            raise TruncatedStream(f"{what}: the file ends inside a number")
        byte = data[at + i]
        value |= (byte & 127) << 7 * i
        if byte < 128:
            if (i and not byte) or value >= 2**32:
                raise CorruptStream(f"{what}: a number is spelled too long or is too large")
            return value, at + i + 1
    raise CorruptStream(f"{what}: a number of more than {VARINT_MAX_BYTES} bytes")


@dataclass(frozen=True)
class Head:
    """Payload of HEAD: what is needed to size and to parse the rest."""

    LAYOUT: ClassVar = struct.Struct("<BBIIBBB8s")  # the only place where these bytes are defined
    TYPE: ClassVar = b"HEAD"
    width: int  # u32  pixels, before the orientation is applied
    height: int  # u32
    quality: int  # u8   1..MAX_QUALITY
    model: bytes  # 8    first bytes of the SHA-256 of the weights file
    channels: int = 3  # u8, low half    1 grey, 3 colour
    bit_depth: int = 8  #     high half   bits a sample, less one
    tile_log2: int = 10  # u8   side of an entropy tile, log2 of pixels
    orientation: int = 1  # u8, high half  1..8 as in EXIF
    kind: Kind = Kind.STILL  #     low half
    version: int = VERSION  # u8

    def __post_init__(self) -> None:
        def need(ok: bool, what: str, value: object, wanted: str) -> None:
            if not ok:
                raise CorruptStream(f"file head: {what} is {value}, not {wanted}")

        if self.version != VERSION:
            word = "newer" if self.version > VERSION else "unknown"
            raise UnsupportedStream(
                f"format version {self.version} is {word}; this is version {VERSION}"
            )
        if self.kind != Kind.STILL:
            raise UnsupportedStream(f"kind {self.kind} (1 is a clip) is not read by this version")
        need(1 <= self.width <= MAX_SIDE, "the width", self.width, f"1..{MAX_SIDE}")
        need(1 <= self.height <= MAX_SIDE, "the height", self.height, f"1..{MAX_SIDE}")
        need(1 <= self.quality <= MAX_QUALITY, "the quality", self.quality, f"1..{MAX_QUALITY}")
        need(1 <= self.orientation <= 8, "the orientation", self.orientation, "1..8")
        tiles = f"{MIN_TILE_LOG2}..{MAX_TILE_LOG2}"
        need(
            MIN_TILE_LOG2 <= self.tile_log2 <= MAX_TILE_LOG2,
            "log2 of the tile",
            self.tile_log2,
            tiles,
        )
        if (self.channels, self.bit_depth) not in ((1, 8), (3, 8)):
            raise UnsupportedStream(
                f"{self.channels} channels of {self.bit_depth} bits: this version reads 1 or 3 of 8"
            )
        need(len(self.model) == MODEL_ID_BYTES, "the model id", self.model.hex(), "8 bytes")

    @property
    def tile(self) -> int:
        """Side of an entropy tile in pixels."""
        return 1 << self.tile_log2

    @property
    def tile_count(self) -> int:
        return -(-self.width // self.tile) * -(-self.height // self.tile)

    def to_bytes(self) -> bytes:
        kind, samples = self.kind | self.orientation << 4, self.channels | self.bit_depth - 1 << 4
        return self.LAYOUT.pack(
            self.version,
            kind,
            self.width,
            self.height,
            samples,
            self.quality,
            self.tile_log2,
            self.model,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        if data and data[0] != VERSION:  # the layout of another version is not known
            cls(1, 1, 1, bytes(8), version=data[0])
        if len(data) != cls.LAYOUT.size:
            raise CorruptStream(f"file head: {len(data)} bytes, not {cls.LAYOUT.size}")
        version, kind, width, height, samples, quality, tile_log2, model = cls.LAYOUT.unpack(data)
        if kind & 15 not in list(Kind):
            raise UnsupportedStream(f"kind {kind & 15} is not read by this version")
        return cls(
            width, height, quality, model, samples & 15, (samples >> 4) + 1, tile_log2, kind >> 4,
            Kind(kind & 15), version,
        )  # fmt: skip


@dataclass(frozen=True)
class Meta:
    """Payload of `meta`: one block of ICC, EXIF or XMP, kept as it came and never parsed."""

    TYPE: ClassVar = b"meta"
    kind: MetaKind  # u8
    data: bytes  # the rest

    def to_bytes(self) -> bytes:
        return bytes([self.kind]) + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Meta:
        if not data or data[0] not in list(MetaKind):
            raise CorruptStream("metadata of an unknown kind")
        return cls(MetaKind(data[0]), data[1:])


@dataclass(frozen=True)
class Latent:
    """Payload of LATN: one layer of one tile; the coded bytes take the rest."""

    TYPE: ClassVar = b"LATN"
    layer: int  # u8
    tile: int  # varint, in raster order
    data: bytes

    def to_bytes(self) -> bytes:
        return bytes([self.layer]) + write_varint(self.tile) + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Latent:
        if not data:
            raise CorruptStream("an empty LATN chunk")
        tile, at = read_varint(memoryview(data), 1, "LATN")
        return cls(data[0], tile, data[at:])


@dataclass(frozen=True)
class End:
    """Payload of TEND: CRC-32 over the symbol checksums of the tiles."""

    LAYOUT: ClassVar = struct.Struct("<I")
    TYPE: ClassVar = b"TEND"
    checksum: int  # u32

    def to_bytes(self) -> bytes:
        return self.LAYOUT.pack(*astuple(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> End:
        if len(data) != cls.LAYOUT.size:
            raise CorruptStream(f"TEND: {len(data)} bytes, not {cls.LAYOUT.size}")
        return cls(*cls.LAYOUT.unpack(data))


@dataclass(frozen=True)
class Stream:
    """A whole file, taken apart."""

    head: Head
    metadata: tuple[Meta, ...] = ()
    latents: tuple[Latent, ...] = ()
    end: End = field(default_factory=lambda: End(0))

    def to_bytes(self) -> bytes:
        parts: list[Head | Meta | Latent | End] = [
            self.head,
            *self.metadata,
            *self.latents,
            self.end,
        ]
        return SIGNATURE + b"".join(_chunk_to_bytes(p.TYPE, p.to_bytes()) for p in parts)

    @classmethod
    def from_bytes(cls, data: bytes, limits: Limits = Limits(), layers: int = 1) -> Stream:
        """Raises TruncatedStream, CorruptStream, UnsupportedStream or LimitError."""
        chunks = _read_chunks(data)
        head = _read_head(chunks, limits)
        metadata: list[Meta] = []
        latents: list[Latent] = []
        for kind, payload in chunks:
            if kind == End.TYPE:
                end = End.from_bytes(payload)
                break
            if kind == Meta.TYPE and not latents:
                metadata.append(Meta.from_bytes(payload))
                if sum(len(m.data) for m in metadata) > limits.metadata_bytes:
                    raise LimitError(f"metadata of over {limits.metadata_bytes} bytes")
                if len({m.kind for m in metadata}) < len(metadata):
                    raise CorruptStream(f"{metadata[-1].kind.name} metadata stands twice")
            elif kind == Latent.TYPE:
                latents.append(Latent.from_bytes(payload))
                _check_place(latents, head, layers)
            elif kind[:1].islower() and kind != Meta.TYPE:
                continue
            elif kind in (Head.TYPE, Meta.TYPE):
                raise CorruptStream(f"a {kind.decode()} chunk where none may stand")
            else:
                raise UnsupportedStream(
                    f"chunk {kind.decode()} is not known and may not be skipped"
                )
        else:
            raise TruncatedStream("the file ends without its end chunk")
        if next(chunks, None) is not None:
            raise CorruptStream("something follows the end chunk")
        if len(latents) != layers * head.tile_count:
            raise CorruptStream(f"{len(latents)} latent chunks, not {layers * head.tile_count}")
        return cls(head, tuple(metadata), tuple(latents), end)


def read_head(data: bytes, limits: Limits = Limits()) -> Head:
    """The head alone, from a file or from its first bytes."""
    return _read_head(_read_chunks(data), limits)


def read_chunk_sizes(data: bytes) -> list[tuple[str, int]]:
    """Type and size in bytes, framing included, of every chunk; checks all CRCs and needs TEND."""
    sizes = [
        (kind.decode(), len(_chunk_to_bytes(kind, payload))) for kind, payload in _read_chunks(data)
    ]
    if not sizes or sizes[-1][0] != End.TYPE.decode():
        raise TruncatedStream("the file ends without its end chunk")
    return sizes


def _read_head(chunks: Iterator[tuple[bytes, bytes]], limits: Limits) -> Head:
    kind, payload = next(chunks, (b"", b""))
    if not kind:
        raise TruncatedStream("the file ends after its signature")
    if kind != Head.TYPE:
        raise CorruptStream(f"the first chunk is {kind.decode()}, not {Head.TYPE.decode()}")
    head = Head.from_bytes(payload)
    if head.width * head.height > limits.pixels:
        raise LimitError(f"{head.width}x{head.height} pixels are over the limit of {limits.pixels}")
    return head


def _check_place(latents: list[Latent], head: Head, layers: int) -> None:
    """Chunks come layer by layer, in each the tiles in raster order; every one once."""
    tiles, place = head.tile_count, len(latents) - 1
    found = latents[-1]
    if place >= layers * tiles or (found.layer, found.tile) != divmod(place, tiles):
        raise CorruptStream(f"layer {found.layer} of tile {found.tile} is out of place")


def _chunk_to_bytes(kind: bytes, payload: bytes) -> bytes:
    if len(payload) >= 2**32:
        raise UsageError(f"a {kind.decode()} chunk of {len(payload)} bytes is over 4 GiB")
    body = kind + write_varint(len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and payload of one chunk after the other, each checked before it is handed out."""
    view = memoryview(data)
    _check_signature(data)
    at = len(SIGNATURE)
    while at < len(view):
        kind = bytes(view[at : at + TYPE_BYTES])
        if len(kind) < TYPE_BYTES:
            raise TruncatedStream(f"chunk type: {TYPE_BYTES} bytes needed, {len(kind)} left")
        if not (kind.isascii() and kind.isalpha()):
            raise CorruptStream(f"chunk type {kind!r} is not four letters")
        name = kind.decode()
        size, start = read_varint(view, at + TYPE_BYTES, name)
        end = start + size
        if end + CRC_BYTES > len(view):
            raise TruncatedStream(
                f"{name}: {size + CRC_BYTES} bytes needed, {len(view) - start} left"
            )
        stored = struct.unpack_from("<I", view, end)[0]
        if zlib.crc32(view[at:end]) != stored:
            raise CorruptStream(f"{name}: the checksum does not match, the file is damaged")
        yield kind, bytes(view[start:end])
        at = end + CRC_BYTES


def _check_signature(data: bytes) -> None:
    start = bytes(data[: len(SIGNATURE)])
    if start == SIGNATURE:
        return
    if not start:
        raise TruncatedStream("the file is empty")
    if SIGNATURE.startswith(start):
        raise TruncatedStream(f"signature: {len(SIGNATURE)} bytes needed, {len(start)} left")
    if start[1:4] == SIGNATURE[1:4]:
        raise CorruptStream("the signature is damaged, as by a transfer in text mode")
    raise StreamError("not a nacre file: the signature is missing")

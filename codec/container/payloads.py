"""The payloads of the chunks of a nacre file, little-endian: FORMAT.md, sections 4 to 10, in code."""

from __future__ import annotations

import struct
import zlib
from dataclasses import astuple, dataclass
from enum import IntEnum
from math import isqrt
from typing import ClassVar

from nacre.codec.chunks import VARINT_MAX_BYTES, read_varint, write_varint
from nacre.entropy.errors import CorruptStream, LimitError, UnsupportedStream

VERSION = 2
MAX_QUALITY = 100
MAX_SIDE = 2**31 - 1  # pixels
MIN_TILE_LOG2, MAX_TILE_LOG2 = 6, 15  # sides of a tile: 64 to 32768 pixels
MODEL_ID_BYTES = 8
MIN_CELL_LOG2, MAX_CELL_LOG2 = 4, 10  # sides of a cell: 16 to 1024 pixels


@dataclass(frozen=True)
class Limits:
    """What a reader accepts; checked before anything of that size is allocated."""

    pixels: int = 2**28
    memory_bytes: int = 4 << 30
    metadata_bytes: int = 64 << 20

    def check_pixels(self, width: int, height: int) -> None:
        """Raises LimitError for a picture of more pixels."""
        if width * height > self.pixels:
            raise LimitError(f"{width}x{height} pixels are over the limit of {self.pixels}")


class Coding(IntEnum):
    """The coding of the picture in a file."""

    LATENT = 0  # tiles of a latent, with or without cells of other modes
    CLIP = 1  # frames of a clip: codec/clips/payloads.py has the rest of the chunks
    FITTED = 2  # reserved for networks that the file carries
    CELLS = 3  # cells alone: no latent, no model


class Mode(IntEnum):
    """Where the pixels of a cell come from."""

    LATENT = 0
    EXACT = 1  # samples without loss; an encoder may have merged colours before
    DCT = 2  # a plain transform code


class MetaKind(IntEnum):
    """What a `meta` chunk holds."""

    ICC = 1
    EXIF = 2
    XMP = 3


@dataclass(frozen=True)
class Head:
    """Payload of HEAD: the facts that sizing and parsing the rest need."""

    LAYOUT: ClassVar = struct.Struct("<BBIIBBB")  # the only place where these bytes are defined
    TYPE: ClassVar = b"HEAD"
    width: int  # u32  pixels, before the orientation is applied
    height: int  # u32
    quality: int  # u8   1..MAX_QUALITY
    model: (
        bytes  # 8, last; first bytes of the SHA-256 of the weights file; none where coding is CELLS
    )
    channels: int = 3  # u8, low half    1 grey, 2 with transparency, 3 colour, 4 with transparency
    bit_depth: int = 8  #     high half   bits a sample, less one: 8 or 16
    tile_log2: int = 10  # u8, low half   side of an entropy tile, log2 of pixels
    flags: int = 0  #     high half  reserved, zero
    orientation: int = 1  # u8, high half  1..8 as in EXIF
    coding: Coding = Coding.LATENT  #     low half
    version: int = VERSION  # u8

    def __post_init__(self) -> None:
        def need(ok: bool, what: str, value: object, wanted: str) -> None:
            if not ok:
                raise CorruptStream(f"file head: {what} is {value}, not {wanted}")

        if self.version != VERSION:
            word = {1: "that of nacre 0.1, whose models are gone"}.get(
                self.version, "newer" if self.version > VERSION else "unknown"
            )
            raise UnsupportedStream(
                f"format version {self.version} is {word}; this is version {VERSION}"
            )
        if self.coding == Coding.FITTED:
            raise UnsupportedStream(f"coding {self.coding} is not read by this version")
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
        if self.channels not in (1, 2, 3, 4) or self.bit_depth not in (8, 16):
            raise UnsupportedStream(
                f"{self.channels} channels of {self.bit_depth} bits: this version reads 1 to 4 of 8 or 16"
            )
        if self.flags:
            raise UnsupportedStream(f"flags {self.flags:#x} are not known to this version")
        size = 0 if self.coding == Coding.CELLS else MODEL_ID_BYTES
        need(len(self.model) == size, "the model id", self.model.hex() or "none", f"{size} bytes")

    @property
    def colours(self) -> int:
        """Channels that the networks make: 1 or 3."""
        return self.channels if self.channels % 2 else self.channels - 1

    @property
    def has_alpha(self) -> bool:
        return self.colours != self.channels

    @property
    def tile(self) -> int:
        """Side of an entropy tile in pixels."""
        return 1 << self.tile_log2

    @property
    def tile_count(self) -> int:
        return -(-self.width // self.tile) * -(-self.height // self.tile)

    def tile_size(self, tile: int) -> tuple[int, int]:
        """Height and width in pixels of a tile, by its number."""
        row, column = divmod(tile, -(-self.width // self.tile))
        return (
            min(self.tile, self.height - row * self.tile),
            min(self.tile, self.width - column * self.tile),
        )

    def to_bytes(self) -> bytes:
        coding, samples = (
            self.coding | self.orientation << 4,
            self.channels | self.bit_depth - 1 << 4,
        )
        fixed = self.LAYOUT.pack(
            self.version,
            coding,
            self.width,
            self.height,
            samples,
            self.quality,
            self.tile_log2 | self.flags << 4,
        )
        return fixed + self.model

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        if data and data[0] != VERSION:  # the layout of another version is not known
            cls(1, 1, 1, bytes(8), version=data[0])
        if len(data) < cls.LAYOUT.size:
            raise CorruptStream(f"file head: {len(data)} bytes, {cls.LAYOUT.size} or more wanted")
        version, coding, width, height, samples, quality, tile = cls.LAYOUT.unpack_from(data)
        if coding & 15 not in list(Coding):
            raise UnsupportedStream(f"coding {coding & 15} is not read by this version")
        return cls(
            width, height, quality, data[cls.LAYOUT.size :], samples & 15, (samples >> 4) + 1, tile & 15,
            tile >> 4, coding >> 4, Coding(coding & 15), version,
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
class Alpha:
    """Payload of ALPH: the plane of transparency, lossless; lossless.py reads it."""

    TYPE: ClassVar = b"ALPH"
    data: bytes

    def to_bytes(self) -> bytes:
        return self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Alpha:
        return cls(data)


@dataclass(frozen=True)
class Latent:
    """Payload of LATN: some layers of one tile, coded together; the coded bytes take the rest."""

    TYPE: ClassVar = b"LATN"
    START_BYTES: ClassVar = 2 * VARINT_MAX_BYTES  # of a payload: all but the coded bytes
    tile: int  # varint, in raster order
    first: int  # varint, with `last`: pairs 0-0, 0-1, 1-1, 0-2, 1-2, 2-2, ... are numbered from 0
    last: int  # both included; a picture can be made of layer 0 alone
    data: bytes

    def to_bytes(self) -> bytes:
        layers = self.last * (self.last + 1) // 2 + self.first
        return write_varint(self.tile) + write_varint(layers) + self.data

    @classmethod
    def from_bytes(cls, data: bytes) -> Latent:
        tile, at = read_varint(data, 0, "LATN")
        layers, at = read_varint(data, at, "LATN")
        last = (isqrt(8 * layers + 1) - 1) // 2
        return cls(tile, layers - last * (last + 1) // 2, last, data[at:])


@dataclass(frozen=True)
class Cells:
    """Payload of CELL: the cells of one tile that do not come from the latent; cells.py reads them."""

    TYPE: ClassVar = b"CELL"
    tile: int  # varint, in raster order
    side_log2: int  # u8, low half    side of a cell, log2 of pixels
    form: int  #     high half   0: a map tells the mode of each cell; else the mode of all
    map: bytes  # varint length and DEFLATE of one byte a cell, in raster order; absent unless form is 0
    exact: bytes  # varint length and the lossless picture of the cells of mode 1
    transformed: bytes  # the rest: the mosaic of the cells of mode 2

    def to_bytes(self) -> bytes:
        parts = write_varint(self.tile) + bytes([self.side_log2 | self.form << 4])
        if not self.form:
            parts += write_varint(len(self.map)) + self.map
        return parts + write_varint(len(self.exact)) + self.exact + self.transformed

    @classmethod
    def from_bytes(cls, data: bytes) -> Cells:
        tile, at = read_varint(data, 0, "CELL")
        if at >= len(data):
            raise CorruptStream("a CELL chunk without cells")
        side_log2, form = data[at] & 15, data[at] >> 4
        if not MIN_CELL_LOG2 <= side_log2 <= MAX_CELL_LOG2 or form > max(Mode):
            raise CorruptStream(
                f"cells of log2 {side_log2} and form {form} are not of this version"
            )
        packed, at = (b"", at + 1) if form else _sized(data, at + 1)
        exact, at = _sized(data, at)
        return cls(tile, side_log2, form, packed, exact, data[at:])

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of cells in a tile of height x width pixels."""
        side = 1 << self.side_log2
        return -(-height // side), -(-width // side)

    def modes(self, count: int) -> bytes:
        """The modes of `count` cells, a byte each. Raises CorruptStream."""
        if self.form:
            return bytes([self.form]) * count
        unpacker = zlib.decompressobj(-15)
        try:
            modes = unpacker.decompress(self.map, count + 1)
        except zlib.error as error:
            raise CorruptStream(f"map of cells: {error}") from error
        if len(modes) != count or not unpacker.eof or unpacker.unused_data:
            raise CorruptStream(f"map of cells: not one of {count} cells")
        if max(modes) > max(Mode):
            raise CorruptStream(f"map of cells: mode {max(modes)} is not known")
        return modes


def pack_modes(modes: bytes) -> bytes:
    """The map of cells from their modes, a byte each; `Cells.modes` undoes it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(modes) + packer.flush()


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes that follow their length, and the offset of their end."""
    size, at = read_varint(data, at, "CELL")
    if size > len(data) - at:
        raise CorruptStream(f"CELL: {size} bytes needed, {len(data) - at} left")
    return data[at : at + size], at + size


@dataclass(frozen=True)
class End:
    """Payload of TEND: CRC-32 over the head, the transparency and the checksums of the tiles."""

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

"""A second reader of nacre files, written from FORMAT.md alone: plain Python and NumPy, nothing of ours.

It parses every symbol and the modes of all cells, and gives the checksum of what it found. It makes no pixels
and does not look into PNG, WebP and JPEG. Numbers of sections are those of FORMAT.md.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load

SIGNATURE = bytes.fromhex("894E43520D0A1A0A")
LAYERS = 4
MOST_PIXELS, MOST_METADATA = 2**28, 64 << 20


class Refused(Exception):
    """A file that a reader must not read; the first argument is a kind of error of section 19."""


def need(ok: bool, kind: str, what: str) -> None:
    if not ok:
        raise Refused(kind, what)


def varint(data: bytes, at: int, when_short: str = "damaged") -> tuple[int, int]:
    """Section 2: a number, and where it ends."""
    value = 0
    for i in range(5):
        need(at + i < len(data), when_short, "the data end in a varint")
        value |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            is_shortest = i == 0 or data[at + i] > 0
            need(is_shortest and value < 2**32, "damaged", "a varint is spelled too long")
            return value, at + i + 1
    raise Refused("damaged", "a varint of more than 5 bytes")


def sized(data: bytes, at: int) -> tuple[bytes, int]:
    """A varint and as many bytes, and where they end."""
    size, at = varint(data, at)
    need(at + size <= len(data), "damaged", "bytes are missing")
    return data[at : at + size], at + size


def chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Section 3: type and payload of each chunk up to TEND."""
    if len(data) < 8:
        need(not SIGNATURE.startswith(data), "truncated", "signature")
    if data[:8] != SIGNATURE:
        raise Refused("damaged" if data[1:4] == b"NCR" else "other", "signature")
    # Section 17: where TEND is at its place, the file was not cut.
    short = "damaged" if data[-13:-9] == b"TEND" else "truncated"
    at = 8
    while True:
        kind = data[at : at + 4]
        need(len(kind) == 4, short, "a chunk is missing")
        need(kind.isascii() and kind.isalpha(), "damaged", "a type is not four letters")
        size, start = varint(data, at + 4, short)
        end = start + size
        need(end + 4 <= len(data), short, "a payload ends early")
        (crc,) = struct.unpack_from("<I", data, end)
        need(crc == zlib.crc32(data[at:end]), "damaged", f"CRC of {kind.decode()}")
        yield kind.decode(), data[start:end]
        at = end + 4
        if kind == b"TEND":
            need(at == len(data), "damaged", "bytes behind TEND")
            return


@dataclass(frozen=True)
class Head:
    """Section 4."""

    payload: bytes
    coding: int
    width: int
    height: int
    channels: int
    bits: int
    quality: int
    tile: int  # pixels a side
    model: bytes

    @classmethod
    def of(cls, payload: bytes) -> Head:
        need(len(payload) > 0, "damaged", "HEAD is empty")
        need(payload[0] == 2, "unsupported", f"version {payload[0]}")
        need(len(payload) >= 13, "damaged", "HEAD is too short")
        _, coding, width, height, samples, quality, tile = struct.unpack_from("<BBIIBBB", payload)
        coding, orientation, channels, bits = coding & 15, coding >> 4, samples & 15, samples >> 4
        need(coding in (0, 3), "unsupported", f"coding {coding}")
        need(1 <= orientation <= 8, "damaged", "orientation")
        need(0 < width < 2**31 and 0 < height < 2**31, "damaged", "a side")
        need(1 <= channels <= 4 and bits in (7, 15), "unsupported", "samples")
        need(1 <= quality <= 100, "damaged", "quality")
        need(tile & 15 >= 6, "damaged", "tile_log2")
        need(tile >> 4 == 0, "unsupported", "flags")
        need(len(payload) == (13 if coding == 3 else 21), "damaged", "length of HEAD")
        need(width * height <= MOST_PIXELS, "limit", "pixels")
        side = 1 << (tile & 15)
        return cls(payload, coding, width, height, channels, bits + 1, quality, side, payload[13:])

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """Height and width of every tile in pixels."""
        return [
            (min(self.tile, self.height - top), min(self.tile, self.width - left))
            for top in range(0, self.height, self.tile)
            for left in range(0, self.width, self.tile)
        ]


@dataclass
class File:
    """The chunks of a file, checked; `checksum` is None in a truncated one."""

    head: Head
    metadata: dict[int, bytes] = field(default_factory=dict)
    alpha: bytes | None = None
    parts: dict[int, list[tuple[int, int, bytes]]] = field(
        default_factory=dict
    )  # first, last, code
    cells: dict[int, bytes] = field(default_factory=dict)
    checksum: int | None = None
    place: tuple[int, int, int] = (0, 0, -1)  # of the last LATN or CELL in the order of section 3

    def take(self, kind: str, payload: bytes) -> None:
        has_begun = bool(self.parts or self.cells)
        if kind == "meta":
            need(not has_begun and self.alpha is None, "damaged", "meta is late")
            need(payload[:1] in (b"\1", b"\2", b"\3"), "damaged", "kind of metadata")
            need(payload[0] not in self.metadata, "damaged", "metadata twice")
            self.metadata[payload[0]] = payload[1:]
            need(sum(map(len, self.metadata.values())) <= MOST_METADATA, "limit", "metadata")
        elif kind == "ALPH":
            is_wanted = self.head.channels % 2 == 0 and self.alpha is None and not has_begun
            need(is_wanted, "damaged", "ALPH out of place")
            self.alpha = payload
        elif kind in ("LATN", "CELL"):
            need(self.head.channels % 2 or self.alpha is not None, "damaged", "ALPH is missing")
            tile, at = varint(payload, 0)
            need(tile < len(self.head.tiles), "damaged", "a tile that is not there")
            self.follow(
                self.layers(tile, payload, at) if kind == "LATN" else self.modes(tile, payload, at)
            )
        elif kind == "TEND":
            need(len(payload) == 4, "damaged", "length of TEND")
            self.checksum = int.from_bytes(payload, "little")
        else:
            need(kind != "HEAD", "damaged", "HEAD twice")
            need(kind[0].islower(), "unsupported", kind)

    def follow(self, place: tuple[int, int, int]) -> None:
        need(place > self.place, "damaged", "chunks out of order")
        self.place = place

    def layers(self, tile: int, payload: bytes, at: int) -> tuple[int, int, int]:
        """Section 8; the place of the chunk."""
        number, at = varint(payload, at)
        last = 0
        while (last + 1) * (last + 2) // 2 <= number:
            last += 1
        first = number - last * (last + 1) // 2
        own = self.parts.setdefault(tile, [])
        need(self.head.coding == 0, "damaged", "LATN without a latent")
        need(first == (own[-1][1] + 1 if own else 0), "damaged", "a gap in the layers")
        need(last < LAYERS, "damaged", "more layers than there are")
        own.append((first, last, payload[at:]))
        return first, 0, tile

    def modes(self, tile: int, payload: bytes, at: int) -> tuple[int, int, int]:
        """Section 9; the place of the chunk."""
        need(self.head.coding == 3 or tile in self.parts, "damaged", "CELL before LATN")
        need(at < len(payload), "damaged", "CELL is too short")
        k, form = payload[at] & 15, payload[at] >> 4
        need(4 <= k <= 10 and form <= 2, "damaged", "k or form")
        height, width = self.head.tiles[tile]
        modes, at = bytes([form]) * (-(-height >> k) * -(-width >> k)), at + 1
        if form == 0:
            packed, at = sized(payload, at)
            unpacker = zlib.decompressobj(-15)
            try:
                found = unpacker.decompress(packed, len(modes) + 1)
            except zlib.error:
                raise Refused("damaged", "map") from None
            is_whole = unpacker.eof and not unpacker.unused_data and len(found) == len(modes)
            need(is_whole and max(found) <= 2, "damaged", "map")
            modes = found
        exact, at = sized(payload, at)
        need(self.head.coding == 0 or 0 not in modes, "damaged", "mode 0 without a latent")
        need((1 in modes) == bool(exact), "damaged", "exact samples")
        need((2 in modes) == bool(payload[at:]), "damaged", "transformed cells")
        need(2 not in modes or self.head.bits == 8, "damaged", "mode 2 of 16 bits")
        self.cells[tile] = payload
        return 0, 1, tile

    def check_complete(self) -> None:
        tiles = range(len(self.head.tiles))
        if self.head.coding == 3:
            need(all(t in self.cells for t in tiles), "damaged", "CELL is missing")
        else:
            ends = [self.parts[t][-1][1] for t in tiles if t in self.parts]
            need(ends == [LAYERS - 1] * len(tiles), "damaged", "a layer is missing")

    def has_a_picture(self) -> bool:
        """Section 17."""
        return len(self.cells if self.head.coding == 3 else self.parts) == len(self.head.tiles)


def parse(data: bytes, may_be_cut: bool = False) -> File:
    """Sections 1 to 10 and 17."""
    file: File | None = None
    try:
        for kind, payload in chunks(data):
            if file is None:
                need(kind == "HEAD", "damaged", "the first chunk is not HEAD")
                file = File(Head.of(payload))
            else:
                file.take(kind, payload)
    except Refused as refused:
        is_cut = refused.args[0] == "truncated" and may_be_cut
        if not (is_cut and file is not None and file.has_a_picture()):
            raise
    need(file is not None, "damaged", "the first chunk is not HEAD")
    if file.checksum is not None:
        file.check_complete()
    return file


class Stack:
    """Section 11."""

    def __init__(self, code: bytes) -> None:
        need(not code or code[-1] > 0, "damaged", "the code ends with a zero byte")
        code += bytes(-len(code) % 4)
        self.words = list(struct.unpack(f"<{len(code) // 4}I", code))
        self.state = 0
        while self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, starts) -> int:
        """The entry; `starts` has c of every entry, and 2**24 at the end."""
        q = self.state % 2**24
        entry = int(np.searchsorted(starts, q, side="right")) - 1
        c, f = int(starts[entry]), int(starts[entry + 1] - starts[entry])
        self.state = (self.state >> 24) * f + q - c
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return entry

    def push(self, starts, entry: int) -> None:
        c, f = int(starts[entry]), int(starts[entry + 1] - starts[entry])
        if self.state >> 40 >= f:
            self.words.append(self.state % 2**32)
            self.state >>= 32
        self.state = self.state // f << 24 | c + self.state % f

    def to_bytes(self) -> bytes:
        words = struct.pack(f"<{len(self.words)}IQ", *self.words, self.state)
        return words.rstrip(b"\0")

    def is_empty(self) -> bool:
        return not self.state and not self.words


UNIFORM = np.arange(65537) * 256


class Tables:
    """Sections 12 and 15: the tables of one plane."""

    def __init__(self, radius, frequencies, coded_from: int, rows: int) -> None:
        assert 0 <= coded_from < len(radius) == rows <= 256
        assert radius.min() >= 0 and radius.max() <= 255 and frequencies.min() >= 1
        self.radius, self.coded_from = radius, coded_from
        self.starts, at = {}, 0
        for row in range(coded_from, rows):
            size = 2 * int(radius[row]) + 2
            own = frequencies[at : at + size].astype(np.int64)
            assert own.sum() == 2**24
            self.starts[row] = np.concatenate([[0], np.cumsum(own)])
            at += size
        assert at == len(frequencies)

    def read_turn(self, stack: Stack, rows):
        """The symbols of a turn, in the order of its elements, given their table rows."""
        symbols = np.zeros(len(rows), np.int64)
        escaped = []
        for row in range(self.coded_from, len(self.radius)):
            radius = int(self.radius[row])
            for i in np.flatnonzero(rows == row):
                entry = stack.pop(self.starts[row])
                if entry < 2 * radius + 1:
                    symbols[i] = entry - radius
                else:
                    escaped.append((i, radius))
        for i, radius in escaped:
            u = stack.pop(UNIFORM)
            magnitude = radius + 1 + u // 2
            need(magnitude <= 32767, "damaged", "a magnitude over 32767")
            symbols[i] = -magnitude if u % 2 else magnitude
        return symbols


class Model:
    """Section 15: the integer part of a weights file of the family `nacre`."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        said = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["nacre"])
        assert said.get("family", "nacre") == "nacre"
        config = {"latent": 320, "hyper": 96, "scale_width": 128} | said["config"]
        self.latent, self.hyper = config["latent"], config["hyper"]
        self.width = config["scale_width"]
        self.arrays = load(data)
        self.y, self.z = self.tables("y", 64), self.tables("z", 2 * self.hyper)
        self.z_rows = self.arrays["tables.z.rows"]
        assert self.z_rows.shape == (100, self.hyper)
        for name in (
            "up1",
            "mix",
            "up2",
            *(f"step_{p}.{k}" for p in ("enter", "mix", "leave") for k in range(4)),
        ):
            self.prove(name)

    def tables(self, plane: str, rows: int) -> Tables:
        radius, frequencies, (coded_from,) = (
            self.arrays[f"tables.{plane}.{part}"]
            for part in ("radius", "frequencies", "coded_from")
        )
        return Tables(radius, frequencies, int(coded_from), rows)

    def layer_arrays(self, name: str):
        parts = ("weight", "bias", "multiplier", "shift")
        return (self.arrays[f"scales.{name}.{part}"].astype(np.int64) for part in parts)

    def prove(self, name: str) -> None:
        """That no sum of a layer reaches 2**53."""
        weight, bias, multiplier, (shift,) = self.layer_arrays(name)
        top = np.full(weight.shape[1], 127 if name == "up1" else 4095)
        if name in ("step_enter.1", "step_enter.2", "step_enter.3"):
            top[self.width :] = 2048
        largest = (abs(weight) @ top + abs(bias)) * multiplier + 2 ** int(shift)
        assert largest.max() < 2**53 and multiplier.min() >= 0 and 1 <= shift <= 52

    def layer(self, name: str, x, top: int):
        """Section 14: x (I, h, w) int64."""
        weight, bias, multiplier, (shift,) = self.layer_arrays(name)
        if "mix" in name:
            height, width = x.shape[1:]
            around = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            total = bias[:, None, None] + sum(
                weight[:, 3 * p + q, None, None] * around[:, p : p + height, q : q + width]
                for p in range(3)
                for q in range(3)
            )
        else:
            total = bias[:, None, None] + np.einsum("oi,ihw->ohw", weight, x)
        return (total * multiplier[:, None, None] + (1 << shift - 1) >> shift).clip(0, top)

    def features(self, z, height: int, width: int):
        x = shuffled(self.layer("up1", z.clip(-127, 127), 4095))
        x = shuffled(self.layer("up2", self.layer("mix", x, 4095), 4095))
        return x[:, :height, :width]

    def rows(self, features, y, step: int):
        """The table rows of all elements of y, for those of a step."""
        x = np.concatenate([features, 256 * abs(y).clip(max=8)]) if step else features
        x = self.layer(f"step_mix.{step}", self.layer(f"step_enter.{step}", x, 4095), 4095)
        return self.layer(f"step_leave.{step}", x, 63)


def shuffled(x):
    c, h, w = x.shape
    return x.reshape(c // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)


def symbols(model: Model, parts, height: int, width: int, quality: int):
    """Sections 13 and 14: z and y of a tile of so many positions; symbols of missing layers are 0."""
    stacks = [Stack(code) for _, _, code in parts]
    of_layer = [
        s for s, (first, last, _) in zip(stacks, parts, strict=True) for _ in range(first, last + 1)
    ]
    z_shape = (model.hyper, -(-height // 4), -(-width // 4))
    z_rows = np.repeat(model.z_rows[quality - 1], z_shape[1] * z_shape[2])
    z = model.z.read_turn(of_layer[0], z_rows).reshape(z_shape)
    features = model.features(z, height, width)
    y = np.zeros((model.latent, height, width), np.int64)
    group = 4 * np.arange(model.latent) // model.latent
    number = np.array([[0, 2], [3, 1]])[np.arange(height)[:, None] % 2, np.arange(width) % 2]
    for step, stack in enumerate(of_layer):
        where = (number + group[:, None, None]) % 4 == step
        y[where] = model.y.read_turn(stack, model.rows(features, y, step)[where])
    need(all(stack.is_empty() for stack in stacks), "damaged", "a stack is not empty")
    return z, y


def symbol_checksums(file: File, weights: Path) -> list[int]:
    """The CRC-32 of the symbols of every tile."""
    if file.head.coding == 3:
        return [0 for _ in file.head.tiles]
    model, found = Model(weights), []
    for tile, (height, width) in enumerate(file.head.tiles):
        size = -(-height // 16), -(-width // 16)
        planes = symbols(model, file.parts[tile], *size, file.head.quality)
        found.append(zlib.crc32(b"".join(plane.astype("<i4").tobytes() for plane in planes)))
    return found


def checksums(data: bytes, weights: Path) -> tuple[int | None, int]:
    """Section 10: the checksum that a file has in TEND, and that of what it holds."""
    file = parse(data)
    sums = [
        zlib.crc32(file.cells.get(tile, b""), crc)
        for tile, crc in enumerate(symbol_checksums(file, weights))
    ]
    whole = file.head.payload + (file.alpha or b"") + struct.pack(f"<{len(sums)}I", *sums)
    return file.checksum, zlib.crc32(whole)

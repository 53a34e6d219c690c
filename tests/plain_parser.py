"""A second reader of nacre files, written from FORMAT.md alone: plain Python and NumPy, nothing of ours.

It parses every symbol and says their checksum; pixels are the business of the networks.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
from safetensors.numpy import load

ROWS, STEPS, ESCAPE_BITS, PRECISION = 64, 4, 16, 24


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def chunks(data: bytes):
    """Section 1."""
    assert data[:8] == bytes.fromhex("894E43520D0A1A0A")
    at = 8
    while at < len(data):
        size, start = varint(data, at + 4)
        end = start + size
        (crc,) = struct.unpack_from("<I", data, end)
        assert crc == zlib.crc32(data[at:end])
        yield data[at : at + 4].decode(), data[start:end]
        at = end + 4


class Stack:
    """Section 4, the coder."""

    def __init__(self, code: bytes) -> None:
        assert not code or code[-1]
        code += bytes(-len(code) % 4)
        self.words = list(struct.unpack(f"<{len(code) // 4}I", code))
        self.state = 0
        self._fill()

    def _fill(self) -> None:
        while self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, cumulated) -> int:
        """The index of a symbol; `cumulated` begins with 0 and ends with 2**24."""
        q = self.state & (1 << PRECISION) - 1
        found = int(np.searchsorted(cumulated, q, side="right")) - 1
        low, high = int(cumulated[found]), int(cumulated[found + 1])
        self.state = (self.state >> PRECISION) * (high - low) + q - low
        self._fill_one()
        return found

    def _fill_one(self) -> None:
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def is_empty(self) -> bool:
        return not self.state and not self.words


class Tables:
    def __init__(self, radius, frequencies, coded_from: int) -> None:
        self.radius, self.coded_from = radius, coded_from
        self.cumulated, at = {}, 0
        for row in range(coded_from, len(radius)):
            size = 2 * int(radius[row]) + 2
            own = frequencies[at : at + size].astype(np.int64)
            assert own.sum() == 1 << PRECISION
            self.cumulated[row] = np.concatenate([[0], np.cumsum(own)])
            at += size
        assert at == len(frequencies)

    def read(self, stack: Stack, rows):
        """Sections 4.4 and 4.5: the symbols of a step, in the order of `rows`."""
        symbols = np.zeros(len(rows), np.int64)
        escaped = []
        for row in range(self.coded_from, len(self.radius)):
            radius = int(self.radius[row])
            for i in np.flatnonzero(rows == row):
                value = stack.pop(self.cumulated[row]) - radius
                symbols[i] = value
                if value > radius:
                    escaped.append((i, radius))
        uniform = np.arange((1 << ESCAPE_BITS) + 1) << PRECISION - ESCAPE_BITS
        for i, radius in escaped:
            u = stack.pop(uniform)
            magnitude = radius + 1 + u // 2
            assert magnitude <= 32767
            symbols[i] = -magnitude if u % 2 else magnitude
        return symbols


class Model:
    """What parsing needs of a weights file."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        said = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["nacre"])
        self.latent, self.hyper = said["config"]["latent"], said["config"]["hyper"]
        self.arrays = load(data)
        self.y, self.z = (
            Tables(
                self.arrays[f"tables.{key}.radius"],
                self.arrays[f"tables.{key}.frequencies"],
                int(self.arrays[f"tables.{key}.coded_from"][0]),
            )
            for key in ("y", "z")
        )
        self.z_rows = self.arrays["tables.z.rows"]

    def layer(self, name: str, x, top: int):
        """Section 5: x (I, h, w) int64."""
        weight, bias, multiplier, shift = (
            self.arrays[f"scales.{name}.{part}"].astype(np.int64)
            for part in ("weight", "bias", "multiplier", "shift")
        )
        if "mix" in name:
            height, width = x.shape[1:]
            around = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            total = bias[:, None, None] + sum(
                weight[:, k, None, None]
                * around[:, k // 3 : k // 3 + height, k % 3 : k % 3 + width]
                for k in range(9)
            )
        else:
            total = bias[:, None, None] + np.einsum("oi,ihw->ohw", weight, x)
        scaled = (total * multiplier[:, None, None] + (1 << int(shift[0]) - 1)) >> int(shift[0])
        return scaled.clip(0, top)

    def hyper_features(self, z, height: int, width: int):
        x = shuffled(self.layer("up1", z.clip(-127, 127), 4095))
        x = shuffled(self.layer("up2", self.layer("mix", x, 4095), 4095))
        return x[:, :height, :width]

    def rows(self, features, magnitudes, step: int):
        x = np.concatenate([features, magnitudes * 256]) if step else features
        x = self.layer(f"step_mix.{step}", self.layer(f"step_enter.{step}", x, 4095), 4095)
        return self.layer(f"step_leave.{step}", x, 63)


def shuffled(x):
    c, h, w = x.shape
    return x.reshape(c // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)


def tile_checksum(model: Model, parts, height: int, width: int, quality: int) -> int:
    """Section 4: every symbol of a tile, from its parts {first layer: (last, code)}."""
    stacks = {}
    for first, (last, code) in parts.items():
        stack = Stack(code)
        stacks.update({layer: stack for layer in range(first, last + 1)})
    z_shape = (model.hyper, -(-height // 4), -(-width // 4))
    z_rows = np.repeat(model.z_rows[quality - 1], z_shape[1] * z_shape[2])
    z = model.z.read(stacks[0], z_rows).reshape(z_shape)
    features = model.hyper_features(z, height, width)
    y = np.zeros((model.latent, height, width), np.int64)
    group = 4 * np.arange(model.latent) // model.latent
    turn = np.array([[0, 2], [3, 1]])[np.arange(height)[:, None] % 2, np.arange(width) % 2]
    for step in range(STEPS):
        where = (turn + group[:, None, None]) % 4 == step
        rows = model.rows(features, np.abs(y).clip(max=8), step)
        y[where] = model.y.read(stacks[step], rows[where])
    assert all(stack.is_empty() for stack in stacks.values())
    return zlib.crc32(y.astype("<i4").tobytes(), zlib.crc32(z.astype("<i4").tobytes()))


def checksums(data: bytes, weights: Path) -> tuple[int, int]:
    """The checksum that a file names (section 6), and the one of the symbols that it holds."""
    found = list(chunks(data))
    assert found[0][0] == "HEAD" and found[-1][0] == "TEND"
    head = found[0][1]
    _, coding, width, height, _, quality, tile_log2 = struct.unpack_from("<BBIIBBB", head)
    parts, cells = defaultdict(dict), {}
    for kind, payload in found:
        if kind == "LATN":
            tile, at = varint(payload, 0)
            first, at = varint(payload, at)
            more, at = varint(payload, at)
            parts[tile][first] = (first + more, payload[at:])
        if kind == "CELL":
            cells[varint(payload, 0)[0]] = payload
    assert tile_log2 < 16  # no flags
    model, side = Model(weights), (1 << tile_log2) // 16
    rows, columns = -(-height // 16), -(-width // 16)
    tiles = [
        (min(side, rows - top), min(side, columns - left))
        for top in range(0, rows, side)
        for left in range(0, columns, side)
    ]
    has_latent = coding & 15 == 0
    assert has_latent or not parts
    sums = [
        zlib.crc32(
            cells.get(i, b""), tile_checksum(model, parts[i], *size, quality) if has_latent else 0
        )
        for i, size in enumerate(tiles)
    ]
    alpha = b"".join(payload for kind, payload in found if kind == "ALPH")
    whole = zlib.crc32(struct.pack(f"<{len(sums)}I", *sums), zlib.crc32(alpha, zlib.crc32(head)))
    return struct.unpack("<I", found[-1][1])[0], whole

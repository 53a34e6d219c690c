"""TIFF files of every layout, for tests."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

SIZES = {2: "B", 3: "H", 4: "I", 5: "I"}


def tiff_file(
    tags: Mapping[int, tuple[int, Sequence[int]]],
    pieces: Sequence[bytes],
    order: str = "<",
    tiles=False,
) -> bytes:
    """A file with tags {number: (type, values)}, and strips or tiles."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    places, at = [], 8
    for piece in pieces:
        places.append(at)
        at += len(piece) + len(piece) % 2
    where, size = (324, 325) if tiles else (273, 279)
    told = {**tags, where: (4, places), size: (4, [len(piece) for piece in pieces])}
    entries, values, behind = b"", b"", at + 6 + 12 * len(told)
    for tag, (kind, numbers) in sorted(told.items()):
        data = struct.pack(f"{order}{len(numbers)}{SIZES[kind]}", *numbers)
        count = len(numbers) // 2 if kind == 5 else len(numbers)
        inline = data.ljust(4, b"\0")
        if len(data) > 4:
            inline = struct.pack(order + "I", behind + len(values))
            values += data + bytes(len(data) % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + inline
    body = b"".join(piece + bytes(len(piece) % 2) for piece in pieces)
    return (
        head + struct.pack(order + "I", at) + body + struct.pack(order + "H", len(told)) + entries
        + bytes(4) + values
    )  # fmt: skip


def plain(
    samples: np.ndarray,
    photometric: int,
    order: str = "<",
    packed: bool = False,
    predicted: bool = False,
    planar: bool = False,
    tile: int = 0,
    rows: int = 5,
    more: Mapping[int, tuple[int, Sequence[int]]] = {},
) -> bytes:
    """A file of samples (H, W, C) of any type of NumPy."""
    height, width, channels = samples.shape
    depth = samples.itemsize
    layers = [samples[..., i : i + 1] for i in range(channels)] if planar else [samples]
    pieces = []
    for layer in layers:
        if tile:
            padded = np.pad(layer, ((0, -height % tile), (0, -width % tile), (0, 0)))
            blocks = [
                padded[y : y + tile, x : x + tile]
                for y in range(0, height, tile)
                for x in range(0, width, tile)
            ]
        else:
            blocks = [layer[y : y + rows] for y in range(0, height, rows)]
        for block in blocks:
            if predicted:
                block = np.diff(block, axis=1, prepend=block[:, :1] * 0)
            data = block.astype(block.dtype.newbyteorder(order)).tobytes()
            pieces.append(zlib.compress(data) if packed else data)
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    tags = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [8 * depth] * channels),
        259: (3, [8 if packed else 1]), 262: (3, [photometric]), 277: (3, [channels]),
        284: (3, [2 if planar else 1]), 339: (3, [kind] * channels),
    }  # fmt: skip
    tags |= {317: (3, [2])} if predicted else {}
    tags |= {322: (3, [tile]), 323: (3, [tile])} if tile else {278: (3, [rows])}
    return tiff_file({**tags, **more}, pieces, order, tiles=bool(tile))

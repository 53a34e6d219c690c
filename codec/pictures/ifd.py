"""Image file directories (IFD), the tags of EXIF blocks and TIFF files: reading and editing.

An edit writes a new directory and moves nothing else. Offsets in the block therefore stay valid: of other
directories, of thumbnails, in the notes of camera makers.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Union

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
BYTES |= {16: 8, 17: 8, 18: 8}  # of BigTIFF
EMPTY = b"II*\0\x08\0\0\0\0\0\0\0\0\0"  # a block without tags

IMAGE_DESCRIPTION, ORIENTATION, SOFTWARE, DATE_TIME = 270, 274, 305, 306
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
ARTIST, COPYRIGHT, XMP, IPTC, ICC = 315, 33432, 700, 33723, 34675
EXIF_IFD, GPS_IFD, INTEROP_IFD = 34665, 34853, 40965
LAYERS = 37724  # of Photoshop

# Tags of the layout of samples in the source file, and of metadata that nacre files keep in other blocks.
STRUCTURE = (
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284}
    | {288, 289, 290, 291, 292, 293, 297, 301, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328}
    | {330, 332, 333, 334, 336, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 351, 400}
    | {401, 402, 403, 404, 405, 433, 434, 435, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529}
    | {530, 531, 532, 559, 32995, 32996, 32997, 32998, 34232, 50674}
    | {XMP, ICC, LAYERS}
)


@dataclass(frozen=True)
class Field:
    """Value of a tag; `data` is in the byte order of the block."""

    kind: int
    count: int
    data: bytes
    order: str  # "<" or ">"

    def numbers(self) -> tuple[int, ...]:
        """The values of integer types; empty for other types."""
        code = {BYTE: "B", SHORT: "H", LONG: "I", 13: "I", 16: "Q", 18: "Q"}.get(self.kind)
        return struct.unpack(f"{self.order}{self.count}{code}", self.data) if code else ()

    def rational(self) -> float:
        """The first value of type RATIONAL; 0 for other types and for a zero denominator."""
        if self.kind != RATIONAL or not self.count:
            return 0.0
        above, below = struct.unpack_from(self.order + "II", self.data)
        return above / below if below else 0.0


Value = Union[bytes, int, float, "tuple[int, ...]"]  # bytes as UNDEFINED


@dataclass(frozen=True)
class Text:
    """A value of type ASCII, which is written as UTF-8."""

    text: str


def fields(block: bytes) -> dict[int, Field]:
    """The fields of the first directory of a block, by tag; empty where it cannot be parsed."""
    try:
        order, is_big, at = _head(block)
        return _directory(block, order, is_big, at)
    except (ValueError, struct.error):
        return {}


def is_block(block: bytes) -> bool:
    try:
        _head(block)
    except (ValueError, struct.error):
        return False
    return True


def _head(block: bytes) -> tuple[str, bool, int]:
    """Byte order, whether it is BigTIFF, offset of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        raise ValueError("no byte order")
    version = struct.unpack_from(order + "H", block, 2)[0]
    if version == 42:
        return order, False, struct.unpack_from(order + "I", block, 4)[0]
    if version == 43:
        return order, True, struct.unpack_from(order + "Q", block, 8)[0]
    raise ValueError("neither TIFF nor BigTIFF")


def _directory(block: bytes, order: str, is_big: bool, at: int) -> dict[int, Field]:
    """Fields whose values lie inside the block; their total size is limited to the size of the block."""
    left = len(block)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), block, at)
    entry = struct.Struct(order + ("HHQ8s" if is_big else "HHI4s"))
    at += 8 if is_big else 2
    found = {}
    for _ in range(count):
        tag, kind, n, inline = entry.unpack_from(block, at)
        at += entry.size
        size = BYTES.get(kind, 0) * n
        if 0 < size <= len(inline):
            found[tag] = Field(kind, n, inline[:size], order)
        elif size:
            place = struct.unpack(order + ("Q" if is_big else "I"), inline)[0]
            if place + size <= len(block) and size <= left:
                left -= size
                found[tag] = Field(kind, n, bytes(block[place : place + size]), order)
    return found


def edited(block: bytes, drop: Container[int] = (), add: Mapping[int, Value | Text] = {}) -> bytes:
    """A block with some tags of its first directory removed and others added or replaced.

    A block that cannot be parsed, or needs no change, is returned unchanged.
    """
    block = block or EMPTY
    try:
        order, is_big, at = _head(block)
        kept, _ = _entries(block, order, at)
    except (ValueError, struct.error):
        return block
    if is_big or (not add and not any(tag in drop for tag in kept)):
        return block
    room = 6 + 12 * len(kept)
    own = directory(block, at, drop, add)
    if len(own) <= room:
        return block[:at] + own.ljust(room, b"\0") + block[at + room :]
    block += b"\0" * (len(block) % 2)
    head = block[:4] + struct.pack(order + "I", len(block))
    return head + block[8:] + directory(block, len(block), drop, add)


def directory(
    block: bytes,
    at: int,
    drop: Container[int],
    add: Mapping[int, Value | Text],
    is_last: bool = False,
) -> bytes:
    """A new first directory for the offset `at`; with `is_last` it has no pointer to a next directory."""
    order, _, old = _head(block)
    kept, following = _entries(block, order, old)
    entries = {tag: entry for tag, entry in kept.items() if tag not in drop}
    values, place = b"", at + 6 + 12 * len(entries.keys() | add.keys())
    for tag, value in add.items():
        kind, count, data = _packed(value, order)
        if len(data) > 4:
            inline = struct.pack(order + "I", place + len(values))
            values += data + b"\0" * (len(data) % 2)
        else:
            inline = data.ljust(4, b"\0")
        entries[tag] = struct.pack(order + "HHI", tag, kind, count) + inline
    body = b"".join(entries[tag] for tag in sorted(entries))
    head = struct.pack(order + "H", len(entries))
    return head + body + (bytes(4) if is_last else following) + values


def _entries(block: bytes, order: str, at: int) -> tuple[dict[int, bytes], bytes]:
    """The raw entries of a directory by tag, and the raw pointer to the next directory."""
    (count,) = struct.unpack_from(order + "H", block, at)
    end = at + 2 + 12 * count
    if end > len(block):
        raise ValueError("the directory is cut")
    entries = [block[i : i + 12] for i in range(at + 2, end, 12)]
    found = {struct.unpack_from(order + "H", entry)[0]: entry for entry in entries}
    return found, block[end : end + 4].ljust(4, b"\0")


def _packed(value: Value | Text, order: str) -> tuple[int, int, bytes]:
    """Type, count and bytes of a value."""
    if isinstance(value, Text):
        data = value.text.encode() + b"\0"
        return ASCII, len(data), data
    if isinstance(value, bytes):
        return UNDEFINED, len(value), value
    if isinstance(value, float):
        return RATIONAL, 1, struct.pack(order + "II", *_fraction(value))
    numbers = value if isinstance(value, tuple) else (value,)
    kind, code = (SHORT, "H") if max(numbers) < 1 << 16 else (LONG, "I")
    return kind, len(numbers), struct.pack(f"{order}{len(numbers)}{code}", *numbers)


def _fraction(value: float) -> tuple[int, int]:
    from fractions import Fraction

    exact = Fraction(min(max(value, 0), 2**32 - 1)).limit_denominator(10000)
    return exact.numerator, exact.denominator


POINTERS = {EXIF_IFD, GPS_IFD, INTEROP_IFD}


def compact(block: bytes, drop: Container[int] = ()) -> bytes:
    """A new block of the first directory and its EXIF sub-directories, without the tags in `drop`.

    For blocks that are mostly something else, such as a TIFF file. Offsets in the notes of camera makers become
    invalid.
    """
    order, is_big, at = _head(block)
    tree = _tree(block, order, is_big, at, 2)
    out = bytearray(EMPTY[:8] if order == "<" else b"MM\0*\0\0\0\x08")
    _append(out, {tag: value for tag, value in tree.items() if tag not in drop}, order)
    return bytes(out)


Tree = dict[int, "Field | Tree"]


def _tree(block: bytes, order: str, is_big: bool, at: int, levels: int) -> Tree:
    tree: Tree = {}
    for tag, field in _directory(block, order, is_big, at).items():
        if tag in POINTERS and levels:
            for place in field.numbers()[:1]:
                tree[tag] = _tree(block, order, is_big, place, levels - 1)
        elif field.kind < 16:
            tree[tag] = field
    return tree


def _append(out: bytearray, tree: Tree, order: str) -> None:
    """Append a directory and then the values that it points to."""
    at = len(out)
    out += struct.pack(order + "H", len(tree)) + bytes(12 * len(tree) + 4)
    for i, tag in enumerate(sorted(tree)):
        value, place = tree[tag], len(out)
        if isinstance(value, Field):
            inline, kind, count = value.data, value.kind, value.count
            if len(inline) > 4:
                out += inline + b"\0" * (len(inline) % 2)
                inline = struct.pack(order + "I", place)
        else:
            _append(out, value, order)
            inline, kind, count = struct.pack(order + "I", place), LONG, 1
        entry = struct.pack(order + "HHI", tag, kind, count) + inline.ljust(4, b"\0")
        out[at + 2 + 12 * i : at + 14 + 12 * i] = entry

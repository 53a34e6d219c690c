"""The size of a WebP file by its first chunk: Pillow allocates a canvas as soon as it opens the file."""

from __future__ import annotations

SIDE_MASK = (1 << 14) - 1


def size(data: bytes) -> tuple[int, int] | None:
    """Width and height, or None for other files and for a first chunk that is not an image's."""
    kind, head = data[12:16], data[20:30]
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(head) < 10:
        return None
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") for at in (4, 7))
        return width + 1, height + 1
    if kind == b"VP8L":
        sides = int.from_bytes(head[1:5], "little")
        return (sides & SIDE_MASK) + 1, (sides >> 14 & SIDE_MASK) + 1
    if kind == b"VP8 ":
        width, height = (int.from_bytes(head[at : at + 2], "little") for at in (6, 8))
        return width & SIDE_MASK, height & SIDE_MASK
    return None

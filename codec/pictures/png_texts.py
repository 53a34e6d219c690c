"""Texts and profiles of PNG files that are longer than Pillow allows."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import PngImagePlugin

from nacre.codec.pictures.metadata import ImageWarning
from nacre.codec.pictures.png import SIGNATURE

LONGEST_TEXT = 1 << 24  # bytes of a text or a profile, decompressed: 16 times what Pillow allows
ALL_TEXTS = 1 << 26  # bytes of all of them, as in Pillow
TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}


@contextmanager
def long_texts() -> Iterator[None]:
    """Let Pillow decompress the texts that `without_longer_texts` keeps."""
    before = PngImagePlugin.MAX_TEXT_CHUNK
    PngImagePlugin.MAX_TEXT_CHUNK = LONGEST_TEXT
    try:
        yield
    finally:
        PngImagePlugin.MAX_TEXT_CHUNK = before


def without_longer_texts(data: bytes) -> bytes:
    """A PNG file without texts over LONGEST_TEXT or ALL_TEXTS, with an ImageWarning; other data unchanged."""
    if not data.startswith(SIGNATURE):
        return data
    kept, lost, total = [SIGNATURE], set(), 0
    for kind, start, end in _chunks(data):
        size = 0
        if kind in TEXTS and total <= ALL_TEXTS:  # beyond that, nothing more is decompressed
            size = _decompressed_bytes(kind, data[start + 8 : end - 4])
            total += size
        if kind in TEXTS and (size > LONGEST_TEXT or total > ALL_TEXTS):
            lost.add("a profile" if kind == b"iCCP" else "a comment")
        else:
            kept.append(data[start:end])
    if not lost:
        return data
    most = f"{LONGEST_TEXT >> 20} MiB, or {ALL_TEXTS >> 20} together"
    names = " and ".join(sorted(lost))
    warnings.warn(f"{names} of more than {most}: not kept", ImageWarning, stacklevel=3)
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of every chunk; the last chunk may be cut."""
    at = len(SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8].ljust(8, b"\0"))
        end = min(at + 12 + size, len(data))
        yield kind, at, end
        at = end


def _decompressed_bytes(kind: bytes, content: bytes) -> int:
    """Size of a text or a profile; of a compressed one at most LONGEST_TEXT + 1."""
    rest = content.partition(b"\0")[2]  # after its keyword
    packed = rest[1:]
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1]  # after language and translated keyword
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\x01"):
        return len(content)
    try:
        return len(zlib.decompressobj().decompress(packed, LONGEST_TEXT + 1))
    except zlib.error:
        return 0

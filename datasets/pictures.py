"""Reads every picture in folders and tar shards as RGB of 8 bits; counts the files that it skips."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.fill import fill
from nacre.codec.pictures.colour import Picture, to_8_bits, to_picture
from nacre.entropy.errors import UsageError

Pixels = NDArray[np.uint8]


@dataclass
class Count:
    """How many files were read, and how many were skipped for which reason."""

    read: int = 0
    too_small: int = 0
    unreadable: int = 0
    repeated: int = 0  # equal to an earlier file, or replaced by a later member of the shard

    def __str__(self) -> str:
        return (
            f"{self.read} pictures; skipped: {self.unreadable} unreadable, "
            f"{self.too_small} too small, {self.repeated} repeated"
        )


def picture_suffixes() -> set[str]:
    """Suffixes of the formats that Pillow reads.

    Left out: formats that need another program, and suffixes that mostly belong to other kinds of files.
    """
    Image.init()
    others = {
        ".ncr",  # our own, once the plug-in is imported
        ".pdf",
        ".mpg",
        ".mpeg",
        ".h5",
        ".hdf",
        ".grib",
        ".bufr",
        ".eps",
        ".ps",
        ".wmf",
        ".emf",
    }
    return {
        suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN
    } - others


def candidates(sources: Sequence[str | Path]) -> list[Path]:
    """The picture files and tar shards of the sources, in a fixed order.

    A source is a file or a folder, which is searched with all folders below it. Raises UsageError when a
    source is missing.
    """
    known = {*picture_suffixes(), ".tar"}
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = (p for p in source.rglob("*") if p.suffix.lower() in known)
            found += sorted(p for p in inside if p.is_file())
        elif source.is_file():
            found.append(source)
        else:
            raise UsageError(f"no folder or shard {source}")
    return found


def files(sources: Sequence[str | Path], count: Count) -> Iterator[bytes]:
    """The bytes of every file and shard member that may be a picture; equal ones once.

    Raises UsageError when a source is missing or a shard is damaged.
    """
    known, seen = picture_suffixes(), set()
    for path in candidates(sources):
        is_shard = path.suffix.lower() == ".tar"
        for data in _members(path, known, count) if is_shard else _content(path, count):
            digest = hashlib.sha256(data).digest()
            if digest in seen:
                count.repeated += 1
                continue
            seen.add(digest)
            yield data


def _content(path: Path, count: Count) -> Iterator[bytes]:
    try:
        yield path.read_bytes()
    except OSError:
        count.unreadable += 1


def _members(path: Path, known: set[str], count: Count) -> Iterator[bytes]:
    """Members of a shard; of several with one name the last, as when tar unpacks the shard.

    `tarfile` reads a cut or damaged header as the end of the archive. The end must therefore be marked by a
    block of zeros, as every program that writes tar files does.
    """
    try:
        with tarfile.open(path) as tar:
            found = [m for m in tar if m.isfile() and Path(m.name).suffix.lower() in known]
            file = tar.fileobj
            assert file is not None
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"damaged or cut at byte {tar.offset}")
            last = {member.name: member for member in found}
            count.repeated += len(found) - len(last)
            for member in last.values():
                content = tar.extractfile(member)
                assert content is not None
                yield content.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"{path} is not a whole tar file: {error}") from error


def rgb8(image: Image.Image) -> Pixels:
    """(H, W, 3) uint8: the samples that the encoder would code, rounded to 8 bits.

    16-bit samples and floats are rounded, grey is repeated, palettes, CMYK and CIELAB are converted. Alpha is
    dropped: colours of partly transparent pixels are kept, and fully transparent pixels get a smooth
    continuation of the visible ones, as in the encoder. The orientation is not applied. Raises ImageError.
    """
    return rgb8_of(to_picture(image))


def rgb8_of(picture: Picture) -> Pixels:
    """`rgb8` of a decoded `Picture`."""
    pixels = to_8_bits(picture.pixels)
    if picture.alpha is not None:
        pixels = to_8_bits(fill(pixels, picture.alpha == 0))
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def read_pictures(sources: Sequence[str | Path], min_side: int, count: Count) -> Iterator[Pixels]:
    """uint8 arrays (H, W, 3) with both sides at least `min_side`; adds to `count`.

    Raises UsageError when there is no picture, a source is missing or a shard is damaged.
    """
    for data in files(sources, count):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = rgb8(Image.open(io.BytesIO(data)))
        except Exception:  # a reader of Pillow may raise anything
            count.unreadable += 1
            continue
        if min(pixels.shape[:2]) < min_side:
            count.too_small += 1
            continue
        count.read += 1
        yield pixels
    if not count.read:
        raise UsageError(f"no picture to train on in {', '.join(map(str, sources))}: {count}")

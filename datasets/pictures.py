"""Every picture in folders and tar shards, decoded; what cannot be read is skipped and counted."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.pictures.colour import to_picture
from nacre.entropy.errors import UsageError

Pixels = NDArray[np.uint8]


@dataclass
class Count:
    """What became of the files that were found."""

    read: int = 0
    too_small: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return f"{self.read} pictures, {self.unreadable} unreadable and {self.too_small} too small skipped"


def picture_suffixes() -> set[str]:
    """Suffixes of what Pillow reads, without those that are mostly something else or need a program."""
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


def files(sources: Sequence[str | Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file that may be a picture, in a fixed order.

    A source is a tar shard (.tar) or a folder, which may hold both. Raises UsageError when one is missing.
    """
    known = picture_suffixes()
    for source in map(Path, sources):
        if source.is_dir():
            inside = sorted(p for p in source.rglob("*") if p.suffix.lower() in {*known, ".tar"})
        elif source.is_file():
            inside = [source]
        else:
            raise UsageError(f"no folder or shard {source}")
        for path in inside:
            if path.suffix.lower() == ".tar":
                yield from _members(path, known)
            else:
                yield str(path), path.read_bytes()


def _members(path: Path, known: set[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None and Path(member.name).suffix.lower() in known:
                    yield f"{path}/{member.name}", content.read()
    except (tarfile.TarError, EOFError) as error:
        raise UsageError(f"{path} is not a whole tar file: {error}") from error


def read_pictures(sources: Sequence[str | Path], min_side: int, count: Count) -> Iterator[Pixels]:
    """uint8 arrays (H, W, 3) with both sides at least `min_side`; `count` tells of the rest.

    Raises UsageError when not one picture was found.
    """
    import warnings

    for _, data in files(sources):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pixels = to_picture(Image.open(io.BytesIO(data))).pixels
        except Exception:  # ours, or whatever a reader of Pillow raises
            count.unreadable += 1
            continue
        if min(pixels.shape[:2]) < min_side:
            count.too_small += 1
            continue
        count.read += 1
        yield np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if not count.read:
        raise UsageError(f"no picture to train on in {', '.join(map(str, sources))}: {count}")

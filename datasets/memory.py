"""A store of decoded pictures: one file of bytes, written once and mapped into memory by later runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nacre.datasets.pictures import Count, Pixels, candidates, read_pictures
from nacre.entropy.errors import UsageError

VERSION = 2  # of the file; in version 1 a 16-bit picture shifted all later ones


@dataclass(frozen=True)
class PixelStore:
    """The pixels of all pictures, one picture after the other, each (H, W, 3)."""

    pixels: NDArray[np.uint8]  # (sum of H * W * 3,), mapped from disk
    sizes: NDArray[np.int64]  # (N, 2) height and width
    summary: str  # how many files were read and skipped

    @property
    def megapixels(self) -> float:
        return len(self.pixels) / 3e6


def _fingerprint(sources: Sequence[str | Path], min_side: int) -> str:
    """A digest of the source files of a store: their paths, sizes and times of change."""
    parts = [str(VERSION), str(min_side)]
    for path in candidates(sources):
        status = path.stat()
        parts.append(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def open_store(sources: Sequence[str | Path], min_side: int, folder: Path) -> PixelStore:
    """Map the store of these sources in `folder`; decode the pictures first if there is no complete store.

    Raises UsageError when there is no picture.
    """
    base = folder / f"pixels-{_fingerprint(sources, min_side)}"
    store = _open(base)
    if store is None:
        _decode_all(sources, min_side, base)
        store = _open(base)
    if store is None:
        raise UsageError(f"{base}.u8 was changed while it was read: start again")
    return store


def _open(base: Path) -> PixelStore | None:
    """The store, or None without an index or with another number of bytes than the index tells."""
    try:
        described = json.loads(base.with_suffix(".json").read_text())
        sizes = np.array(described["sizes"], np.int64).reshape(-1, 2)
        pixels = np.memmap(base.with_suffix(".u8"), np.uint8, "r")
        summary = str(described["summary"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_whole = len(pixels) == 3 * int(sizes.prod(1).sum())
    return PixelStore(pixels, sizes, summary) if is_whole else None


def _decode_all(sources: Sequence[str | Path], min_side: int, base: Path) -> None:
    """Write the pixels, then the index, each under a temporary name first; an index means a complete store."""
    base.parent.mkdir(parents=True, exist_ok=True)
    count, sizes = Count(), []
    partial = base.with_suffix(f".part{os.getpid()}")
    try:
        with partial.open("wb") as file:
            for picture in read_pictures(sources, min_side, count):
                file.write(_samples(picture).tobytes())
                sizes.append(picture.shape[:2])
        os.replace(partial, base.with_suffix(".u8"))
        partial.write_text(json.dumps({"summary": str(count), "sizes": sizes}))
        os.replace(partial, base.with_suffix(".json"))
    finally:
        partial.unlink(missing_ok=True)


def _samples(picture: Pixels) -> Pixels:
    """(3 * H * W,) the samples of a picture. Offsets of crops count samples, so other types are refused."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UsageError(
            f"a picture of {picture.dtype} {picture.shape}, not of 8 bits and (height, width, 3)"
        )
    return np.ascontiguousarray(picture).ravel()


def store_of(pictures: Sequence[Pixels]) -> PixelStore:
    """A store of pictures that are in memory already."""
    sizes = np.array([p.shape[:2] for p in pictures], np.int64).reshape(-1, 2)
    flat = [_samples(p) for p in pictures]
    pixels = np.concatenate(flat) if flat else np.zeros(0, np.uint8)
    return PixelStore(pixels, sizes, f"{len(pictures)} pictures")

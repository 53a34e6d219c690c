"""Pictures decoded once into one file of bytes, which later runs map into memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nacre.datasets.pictures import Count, Pixels, read_pictures


@dataclass(frozen=True)
class PixelStore:
    """All pixels of all pictures, one after the other, each (H, W, 3)."""

    pixels: NDArray[np.uint8]  # (sum of H * W * 3,), mapped from disk
    sizes: NDArray[np.int64]  # (N, 2) height and width
    summary: str  # what was read and skipped

    @property
    def megapixels(self) -> float:
        return len(self.pixels) / 3e6


def _fingerprint(sources: Sequence[str | Path], min_side: int) -> str:
    """Changes when a source is another, or was written again."""
    parts = [str(min_side)]
    for source in map(Path, sources):
        inside = (
            sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
        )
        parts += [
            f"{p.resolve()} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in inside if p.exists()
        ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def open_store(sources: Sequence[str | Path], min_side: int, folder: Path) -> PixelStore:
    """The pictures of `sources`, decoded into `folder` unless that was done before.

    Raises UsageError when there is no picture.
    """
    base = folder / f"pixels-{_fingerprint(sources, min_side)}"
    index = base.with_suffix(".json")
    if not index.exists():
        _decode_all(sources, min_side, base)
    described = json.loads(index.read_text())
    sizes = np.array(described["sizes"], np.int64).reshape(-1, 2)
    pixels = np.memmap(base.with_suffix(".u8"), np.uint8, "r")
    return PixelStore(pixels, sizes, described["summary"])


def _decode_all(sources: Sequence[str | Path], min_side: int, base: Path) -> None:
    """Pixels first, the index last and by renaming: an interrupted run leaves nothing that is trusted."""
    base.parent.mkdir(parents=True, exist_ok=True)
    count, sizes = Count(), []
    partial = base.with_suffix(f".part{os.getpid()}")
    with partial.open("wb") as file:
        for picture in read_pictures(sources, min_side, count):
            file.write(np.ascontiguousarray(picture).tobytes())
            sizes.append(picture.shape[:2])
    os.replace(partial, base.with_suffix(".u8"))
    described = {"summary": str(count), "sizes": sizes}
    partial.write_text(json.dumps(described))
    os.replace(partial, base.with_suffix(".json"))


def store_of(pictures: Sequence[Pixels]) -> PixelStore:
    """Pictures that are in memory already."""
    sizes = np.array([p.shape[:2] for p in pictures], np.int64).reshape(-1, 2)
    flat = [np.ascontiguousarray(p).ravel() for p in pictures]
    pixels = np.concatenate(flat) if flat else np.zeros(0, np.uint8)
    return PixelStore(pixels, sizes, f"{len(pictures)} pictures")

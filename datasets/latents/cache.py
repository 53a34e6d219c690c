"""Decoded latents kept in a file: from the second epoch on, a sample costs one read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class LatentCache:
    """A sparse file with room for every latent as raw numbers, filled as samples are decoded.

    Processes may share it: a sample is marked as present after its numbers are written, and all processes write
    equal numbers. Everything that changes the numbers must be part of `name`.
    """

    def __init__(self, folder: Path, name: str, shapes: NDArray[np.int64], dtype: np.dtype) -> None:  # type: ignore[type-arg]
        self._shapes, self._dtype = shapes, dtype
        ends = np.cumsum(shapes.prod(1)) * dtype.itemsize
        self._starts = np.concatenate([[0], ends])
        folder.mkdir(parents=True, exist_ok=True)
        self._numbers, self._marks = folder / f"{name}.bin", folder / f"{name}.there"
        for path, size in ((self._numbers, int(self._starts[-1])), (self._marks, len(shapes))):
            with path.open("ab") as file:
                if file.tell() < size:
                    file.truncate(size)

    def get(self, number: int) -> NDArray[np.generic] | None:
        """The latent (C, h, w) of a sample; None if it is not cached."""
        if _read(self._marks, number, 1) != b"\1":
            return None
        start, end = (int(at) for at in self._starts[number : number + 2])
        data = bytearray(_read(self._numbers, start, end - start))
        return np.frombuffer(data, self._dtype).reshape(self._shapes[number])

    def put(self, number: int, latent: NDArray[np.generic]) -> None:
        _write(self._numbers, int(self._starts[number]), latent.astype(self._dtype).tobytes())
        _write(self._marks, number, b"\1")


def _read(path: Path, offset: int, size: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        return file.read(size)


def _write(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b", buffering=0) as file:
        file.seek(offset, os.SEEK_SET)
        file.write(data)

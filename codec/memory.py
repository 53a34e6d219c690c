"""Returns unused memory to the system at once, which keeps the peak of large pictures low."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return None
    return trim


def give_back_freed() -> None:
    """Give freed memory in the allocator back to the system; without glibc nothing happens.

    Between two stages that allocate blocks of different sizes this returns a few hundred MiB."""
    if trim := _malloc_trim():
        trim(0)


def give_back_read(pixels: NDArray[Any]) -> None:
    """Drop the read pages of a read-only memory map; the system reads them again on access."""
    if isinstance(pixels, np.memmap) and pixels.mode == "r":
        mapped: Any = getattr(pixels, "_mmap", None)
        if hasattr(mapped, "madvise") and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

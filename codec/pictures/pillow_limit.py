"""The limit on pixels of Pillow's readers, replaced by one of ours.

Pillow refuses pictures of more than twice Image.MAX_IMAGE_PIXELS (179 megapixels) and warns of half as many;
Limits allow 2^28 pixels. MAX_IMAGE_PIXELS is one number for the whole process, and some of Pillow's readers
check it themselves while they open or load a file. Therefore the check itself is wrapped, once: it compares
with our limit inside `pixel_limit`, and is Pillow's own in all other threads and contexts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from PIL import Image

from nacre.codec.container import Limits

_limit: ContextVar[int | None] = ContextVar("nacre_pixel_limit", default=None)


@contextmanager
def pixel_limit(pixels: int) -> Iterator[None]:
    """Let Pillow's readers in this thread raise LimitError for pictures of more pixels, and no other error."""
    token = _limit.set(pixels)
    try:
        yield
    finally:
        _limit.reset(token)


def _wrap_check() -> None:
    check = getattr(Image, "_decompression_bomb_check", None)
    if check is None:  # a later Pillow may have another way; its limit then holds
        return

    @functools.wraps(check)
    def check_by_our_limit(size: tuple[int, int], *args: Any, **options: Any) -> None:
        limit = _limit.get()
        if limit is None:
            check(size, *args, **options)
        else:
            Limits(limit).check_pixels(*size)

    Image._decompression_bomb_check = check_by_our_limit


_wrap_check()

"""Pillow's limit on pixels, lifted where the Limits of this package decide.

Pillow refuses pictures of more than twice Image.MAX_IMAGE_PIXELS (179 megapixels) and warns of half as many;
Limits allow 2^28 pixels. MAX_IMAGE_PIXELS is one number for the whole process, and some of Pillow's readers
check it themselves while they open or load a file. Therefore the check itself is wrapped, once: it passes
where the limit is lifted and is Pillow's own in all other threads and contexts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from PIL import Image

_is_lifted: ContextVar[bool] = ContextVar("nacre_pillow_limit_is_lifted", default=False)


@contextmanager
def lifted() -> Iterator[None]:
    """Let Pillow open and load pictures of any size in this thread; the caller checks their sizes."""
    token = _is_lifted.set(True)
    try:
        yield
    finally:
        _is_lifted.reset(token)


def _wrap_check() -> None:
    check = getattr(Image, "_decompression_bomb_check", None)
    if check is None:  # a later Pillow may have another way; its limit then holds
        return

    @functools.wraps(check)
    def check_unless_lifted(*args: Any, **options: Any) -> None:
        if not _is_lifted.get():
            check(*args, **options)

    Image._decompression_bomb_check = check_unless_lifted


_wrap_check()

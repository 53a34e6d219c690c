"""The file that a PIL image was opened from, also after Pillow has loaded the image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from PIL import Image


@contextmanager
def source(image: Image.Image) -> Iterator[IO[bytes] | None]:
    """The file, read from its start, or None where it cannot be reached. Its position is kept.

    Pillow drops `fp` when it has loaded an image. Readers of formats with frames keep `_fp`; an image that
    was opened by its path has `filename`. Copies of an image have none of the three.
    """
    for name in ("fp", "_fp"):
        file = getattr(image, name, None)
        try:
            place = file.tell()  # type: ignore[union-attr]
            file.seek(0)  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):  # there is none, or it is closed
            continue
        try:
            yield file
        finally:
            file.seek(place)  # type: ignore[union-attr]
        return
    try:
        opened = open(image.filename, "rb")  # type: ignore[attr-defined]  # noqa: SIM115
    except (AttributeError, OSError, ValueError, TypeError):
        yield None
        return
    with opened:
        yield opened

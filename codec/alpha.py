"""The plane of transparency, kept to the last bit: PNG, which is safe, small and everywhere."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.entropy.errors import CorruptStream

Plane = NDArray[np.uint8]  # (H, W), 0 transparent, 255 opaque


def to_bytes(plane: Plane) -> bytes:
    """A PNG of one channel."""
    out = io.BytesIO()
    Image.fromarray(plane).save(out, "PNG", compress_level=9)
    return out.getvalue()


def from_bytes(data: bytes, width: int, height: int) -> Plane:
    """Undo `to_bytes`; raises CorruptStream for anything but a grey PNG of that size.

    The size is compared before any sample is unpacked.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if (image.mode, image.size) != ("L", (width, height)):
                raise CorruptStream(
                    f"transparency: {image.mode} of {image.width}x{image.height}, not L of {width}x{height}"
                )
            return np.asarray(image)
    except CorruptStream:
        raise
    except Exception as error:  # of any kind: readers of Pillow raise whatever their parsing hits
        raise CorruptStream(f"transparency: {error}") from error

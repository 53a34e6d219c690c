"""PNG and TIFF files of 16-bit colour, which Pillow reads as 8 bits and cannot write."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacre.codec.pictures import png, tiff
from nacre.entropy.errors import ImageError

Deep = NDArray[np.uint16]  # (H, W, 2 to 4)
FORMATS = {"PNG": png.write, "TIFF": tiff.write}


def read(data: bytes) -> Deep:
    """The first image of a PNG or TIFF file of 16-bit RGB, RGBA or grey with alpha; raises ImageError.

    The orientation is not applied; alpha is straight, not associated.
    """
    return _read_png(data) if data.startswith(png.SIGNATURE) else tiff.read(data)


def _read_png(data: bytes) -> Deep:
    """Decode by PyAV."""
    import av

    try:
        with av.open(io.BytesIO(data), "r") as container:
            frame: Any = next(container.decode(video=0))
        name = frame.format.name
        kind = "rgba64le" if name.startswith(("rgba", "ya")) else "rgb48le"
        samples = np.asarray(frame.to_ndarray(format=kind), np.uint16)
        return samples[..., [0, 3]] if name.startswith("ya") else samples
    except (av.error.FFmpegError, StopIteration, ValueError, IndexError) as error:
        raise ImageError(f"a picture of 16-bit colour cannot be read: {error}") from error


def write(pixels: Deep, format: str) -> bytes:
    """A PNG or TIFF file of (H, W, 1 to 4), without metadata."""
    return FORMATS[format](pixels)

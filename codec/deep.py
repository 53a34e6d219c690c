"""Pictures of 16-bit colour, which Pillow reads as 8 and cannot write: PNG and TIFF through PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import ImageError

Deep = NDArray[np.uint16]  # (H, W, 3) or (H, W, 4)
FORMATS = {"PNG": ("png", "be"), "TIFF": ("tiff", "le")}  # Pillow's name: FFmpeg's, byte order


def read(data: bytes) -> Deep:
    """The first picture of a PNG or TIFF of 16-bit colour; raises ImageError."""
    import av

    try:
        with av.open(io.BytesIO(data), "r") as container:
            frame: Any = next(container.decode(video=0))
        kind = "rgba64le" if "a" in frame.format.name.replace("gray", "") else "rgb48le"
        return np.asarray(frame.to_ndarray(format=kind), np.uint16)
    except (av.error.FFmpegError, StopIteration, ValueError, IndexError) as error:
        raise ImageError(f"a picture of 16-bit colour cannot be read: {error}") from error


def write(pixels: Deep, format: str) -> bytes:
    """A PNG or TIFF file of (H, W, 3 or 4), without metadata."""
    import av

    encoder, order = FORMATS[format]
    kind = "rgb48" if pixels.shape[2] == 3 else "rgba64"
    context: Any = av.CodecContext.create(encoder, "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = kind + order
    context.time_base = Fraction(1, 1)
    frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind + "le")
    if order == "be":
        frame = frame.reformat(format=kind + order)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])

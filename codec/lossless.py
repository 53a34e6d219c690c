"""Lossless coding of samples, by WebP or PNG, whichever takes fewer bytes.

The first byte tells the coder. 16-bit samples are coded as two pictures of 8 bits: the high bytes, and
the low bytes minus the high ones, which are zero where 8 bits were scaled to 16.
"""

from __future__ import annotations

import io
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from nacre.codec.pictures import webp
from nacre.codec.pictures.pillow_limit import pixel_limit
from nacre.entropy.errors import CorruptStream, UnsupportedStream

Samples = NDArray[np.uint8] | NDArray[np.uint16]
LONGEST_WEBP_SIDE = 16383
MOST_CARE = 2
QUICK: dict[str, Any] = {"method": 4, "quality": 80}
THOROUGH: dict[str, Any] = {"method": 6, "quality": 100}  # 10 to 100 times as long for one per cent


class Coder(IntEnum):
    """The first byte of the result of `to_bytes`."""

    PNG = 1
    WEBP = 2
    HALVES = 3  # of 16 bits: length of the first (4 bytes), then two results of `to_bytes`


def to_bytes(samples: Samples, care: int = 1) -> bytes:
    """Code (H, W, 1 or 3) uint8 or uint16; `care` is the effort spent on fewer bytes, 0 to MOST_CARE."""
    if samples.dtype == np.uint16:
        high, low = (samples >> 8).astype(np.uint8), (samples & 255).astype(np.uint8)
        first, second = (to_bytes(half, care) for half in (high, low - high))
        return bytes([Coder.HALVES]) + len(first).to_bytes(4, "little") + first + second
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    has_webp = max(samples.shape[:2]) <= LONGEST_WEBP_SIDE and features.check("webp")
    found = []
    if has_webp:
        options = THOROUGH if care == MOST_CARE else QUICK
        webp = _saved(image.convert("RGB"), "WEBP", lossless=True, **options)
        found.append(bytes([Coder.WEBP]) + webp)
    if care or not has_webp:  # smaller only for smooth gradients, and slower
        found.append(bytes([Coder.PNG]) + _saved(image, "PNG", optimize=True))
    return min(found, key=len)


def _saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def from_bytes(data: bytes, shape: tuple[int, int, int], depth: int) -> Samples:
    """Undo `to_bytes` for (H, W, 1 or 3) samples of `depth` bits.

    Sizes are compared before any sample is unpacked. Raises CorruptStream for anything else, and
    UnsupportedStream for coders that are not known.
    """
    if not data:
        raise CorruptStream("lossless samples: nothing is there")
    if data[0] not in list(Coder):
        raise UnsupportedStream(f"lossless samples: coder {data[0]} is not known")
    if (depth == 16) != (data[0] == Coder.HALVES):
        raise CorruptStream(f"lossless samples: coder {data[0]} does not give {depth} bits")
    if depth == 8:
        return _eight_bits(data[1:], Coder(data[0]), shape)
    size = int.from_bytes(data[1:5], "little")
    if not size <= len(data) - 5:
        raise CorruptStream("lossless samples: the first half is longer than the data")
    high, low = (from_bytes(d, shape, 8) for d in (data[5 : 5 + size], data[5 + size :]))
    low = low + high  # modulo 256
    return np.asarray(high.astype(np.uint16) << 8 | low, np.uint16)


def _eight_bits(data: bytes, coder: Coder, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    height, width, channels = shape
    mode = "RGB" if channels == 3 or coder == Coder.WEBP else "L"
    return read_picture(data, coder.name, mode, (width, height))[..., :channels]


def read_picture(data: bytes, format: str, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, C) of a picture file, which must be of that format of Pillow's, mode and (width, height).

    The size is compared before a sample is decompressed, and takes the place of Pillow's limit on pixels.
    Raises CorruptStream for anything else.
    """
    if format == "WEBP" and webp.size(data) != size:
        raise CorruptStream(f"WEBP inside the file: {webp.size(data)}, not {size}")
    width, height = size
    try:
        with (
            pixel_limit(width * height),
            Image.open(io.BytesIO(data), formats=[format]) as image,
        ):
            found = (image.mode, image.size, getattr(image, "n_frames", 1))
            if found != (mode, size, 1):
                raise CorruptStream(f"{format} inside the file: {found}, not {(mode, size, 1)}")
            samples = np.asarray(image)
    except CorruptStream:
        raise
    except Exception as error:  # of any kind: readers of Pillow raise whatever their parsing hits
        raise CorruptStream(f"{format} inside the file: {error}") from error
    return samples[..., None] if samples.ndim == 2 else samples

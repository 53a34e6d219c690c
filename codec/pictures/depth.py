"""The bit depth of a PIL image's file, and its 16-bit colour samples, of which Pillow keeps 8 bits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.pictures import deep, ifd, png, tiff, turned
from nacre.codec.pictures.metadata import warn
from nacre.codec.pictures.source import source
from nacre.entropy.errors import ImageError

HEAD_BYTES = 1 << 14
Array = NDArray[Any]


def wide(image: Image.Image) -> deep.Deep | None:
    """16-bit samples (H, W, 2 to 4) of a PNG or TIFF that Pillow reads as 8 bits; None for all other images.

    For a loaded image the file is read again; its samples are taken if their high bytes are the pixels of the
    image, that is, if the image was not changed. An ImageWarning tells where 16 bits, or the 10 and 12 bits of
    other formats, cannot be kept. A copy of an image has no link to the file.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return None
    depth = bits(image)
    if depth <= 8:
        return None
    if image.format not in deep.FORMATS or image.mode not in ("RGB", "RGBA") or _frame(image):
        warn(f"{depth}-bit samples are rounded to 8 bits")
        return None
    try:
        samples = _from_file(image)
    except ImageError as error:
        warn(f"{depth}-bit samples are rounded to 8 bits: {error}")
        return None
    if _is_loaded(image) and not _shows(image, samples):
        warn(
            f"{depth}-bit samples are rounded to 8 bits: the image was changed after it was loaded"
        )
        return None
    return samples


def _frame(image: Image.Image) -> int:
    """The frame number of an image; 0 for an image that was pickled, which has lost it."""
    try:
        return image.tell()
    except AttributeError:
        return 0


def _is_loaded(image: Image.Image) -> bool:
    return not getattr(image, "tile", [])


def _from_file(image: Image.Image) -> deep.Deep:
    """The samples of the file, turned as Pillow turns the image: TIFF by its orientation."""
    with source(image) as file:
        if file is None:
            raise ImageError("the file that Pillow read them from cannot be reached")
        data = file.read()
    samples = deep.read(data)
    if image.format != "TIFF":
        return samples
    field = ifd.fields(data).get(ifd.ORIENTATION)
    return turned.shown(samples, field.numbers()[0] if field and field.numbers() else 1)


def _shows(image: Image.Image, samples: deep.Deep) -> bool:
    """Whether the pixels of an image are the high bytes of the samples."""
    pixels = np.asarray(image)
    if (
        samples.shape[2] == 2 and pixels.shape[2] == 4
    ):  # Pillow reads grey with transparency as RGBA
        samples = samples[..., [0, 0, 0, 1]]
    if samples.shape[2] == 4 and pixels.shape[2] == 3:  # a transparent colour is in `info`
        samples = samples[..., :3]
    return np.array_equal(samples >> 8, pixels)


def bits(image: Image.Image) -> int:
    """Bits of a sample in the file; 8 where they are not known."""
    tiles, tags = getattr(image, "tile", []), getattr(image, "tag_v2", {})
    of_tiff, of_heif = tags.get(tiff.BITS), image.info.get("bit_depth")
    if ";16" in str(tiles):
        return 16
    if of_tiff is not None:
        return 16 if 16 in (of_tiff if isinstance(of_tiff, tuple) else (of_tiff,)) else 8
    if isinstance(of_heif, int):
        return max(8, of_heif)
    if image.format not in HEADS:
        return 8
    with source(image) as file:
        return 8 if file is None else HEADS[image.format](file)


def _of_png(file: IO[bytes]) -> int:
    """A palette of 16 bits does not exist; of fewer bits Pillow makes 8."""
    return png.bit_depth(file) if file.read(len(png.SIGNATURE)) == png.SIGNATURE else 8


def _of_tiff(file: IO[bytes]) -> int:
    """By the tags, which an image that was pickled has lost."""
    field = ifd.fields(file.read()).get(tiff.BITS)
    return 16 if field and 16 in field.numbers() else 8


def _of_jpeg2000(file: IO[bytes]) -> int:
    """By the marker SIZ."""
    head = file.read(HEAD_BYTES)
    at = head.find(b"\xff\x4f\xff\x51")
    return (head[at + 42] & 127) + 1 if 0 <= at < len(head) - 42 else 8


def _of_avif(file: IO[bytes]) -> int:
    """By the box av1C."""
    head = file.read(HEAD_BYTES)
    at = head.find(b"av1C")
    flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
    return 8 if not flags & 64 else 12 if flags & 32 else 10


def _of_ppm(file: IO[bytes]) -> int:
    """By the largest number of a sample, which stands behind width and height."""
    head = re.sub(rb"#[^\r\n]*", b"", file.read(HEAD_BYTES))
    found = re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)\s", head)
    return max(8, int(found[1]).bit_length()) if found else 8


def _of_sgi(file: IO[bytes]) -> int:
    """By the fourth byte, the bytes of a sample."""
    return 16 if file.read(4)[3:] == b"\x02" else 8


HEADS: dict[str | None, Callable[[IO[bytes]], int]] = {
    "PNG": _of_png,
    "TIFF": _of_tiff,
    "JPEG2000": _of_jpeg2000,
    "AVIF": _of_avif,
    "PPM": _of_ppm,
    "SGI": _of_sgi,
}

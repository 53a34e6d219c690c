"""PIL images to samples of 8 or 16 bits: grey or RGB, with or without an alpha channel."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from nacre.codec.pictures import depth, png, profiles, tiff
from nacre.codec.pictures.metadata import warn
from nacre.codec.pictures.source import source
from nacre.entropy.errors import ImageError

GREY_MODES = {"1", "L"}
COLOUR_MODES = {"RGB", "RGBX", "YCbCr", "HSV", "P"}
STRAIGHT = {"RGBA": "RGBA", "RGBa": "RGBA", "LA": "LA", "La": "LA", "PA": "RGBA"}
Array = NDArray[Any]


@dataclass(frozen=True)
class Samples:
    """Samples of an image, before the alpha channel is separated."""

    array: Array  # uint8 or uint16 (H, W, 1 to 4)
    is_srgb: bool = False  # they were converted: the profile of the image no longer describes them


def readable(image: Image.Image) -> Image.Image:
    """The image, or for uncompressed Y'CbCr TIFF the same image read by libtiff.

    Pillow's own reader ignores subsampling and assumes full range.
    """
    file = getattr(image, "fp", None)
    if file is None or _tags(image).get(tiff.PHOTOMETRIC) != 6 or not _tiles(image):
        return image
    if _tiles(image)[0][0] != "raw":
        return image
    before, TiffImagePlugin.READ_LIBTIFF = TiffImagePlugin.READ_LIBTIFF, True
    try:
        file.seek(0)
        return Image.open(io.BytesIO(file.read()), formats=["TIFF"])
    finally:
        TiffImagePlugin.READ_LIBTIFF = before
        file.seek(0)


def loaded(image: Image.Image) -> Samples:
    """Load an image and return its samples; raises ImageError, or any exception of Pillow's readers."""
    wide, unit = depth.wide(image), _grey_unit(image)
    frames = getattr(image, "n_frames", 1)
    image.load()
    if frames > 1:
        warn(f"the first of {frames} frames is kept")
    if _has_nameless_channels(image):
        warn("an extra channel without a defined meaning is not kept")
    return _samples(image, unit) if wide is None else Samples(wide)


def _tags(image: Image.Image) -> Any:
    """Tags of a TIFF image; empty for other formats."""
    return getattr(image, "tag_v2", {})


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _tiles(image: Image.Image) -> Any:
    """Pillow's tile descriptors: how the data is to be decoded; empty once the image is loaded."""
    return getattr(image, "tile", [])


def _has_nameless_channels(image: Image.Image) -> bool:
    extra = _as_tuple(_tags(image).get(tiff.EXTRA))
    return len(extra) > 1 or 0 in extra


def _grey_unit(image: Image.Image) -> int:
    """Step between grey levels of a PNG of 2 or 4 bits: Pillow scales pixels, but not the transparent level."""
    if image.format != "PNG" or image.mode != "L":
        return 1
    with source(image) as file:
        return 1 if file is None else 255 // (2 ** png.bit_depth(file) - 1)


def _samples(image: Image.Image, grey_unit: int) -> Samples:
    mode = image.mode
    if mode.startswith("I;16") or mode in ("I", "F"):
        return Samples(_from_numbers(image))
    if mode in STRAIGHT:
        return Samples(np.asarray(image.convert(STRAIGHT[mode])))
    if mode in GREY_MODES and "transparency" in image.info:
        grey = np.asarray(image.convert("L"))
        return Samples(_with_hole(grey, image.info["transparency"] * grey_unit))
    if mode in ("P", "RGB") and image.has_transparency_data:
        return Samples(np.asarray(image.convert("RGBA")))
    if mode in GREY_MODES:
        return Samples(np.asarray(image.convert("L"))[..., None])
    if mode in COLOUR_MODES:
        return Samples(np.asarray(image.convert("RGB")))
    if mode in ("CMYK", "LAB"):
        return Samples(_to_srgb(image), is_srgb=True)
    raise ImageError(f"pictures of mode {mode} are not supported")


def _with_hole(grey: Array, level: Any) -> Array:
    """Grey and alpha (H, W, 2): one grey level is transparent, all others are opaque."""
    opaque = np.iinfo(grey.dtype).max * (grey != level)
    return np.dstack([grey, opaque.astype(grey.dtype)])


def _from_numbers(image: Image.Image) -> Array:
    """16-bit grey from integer or float samples; white is 65535 unless the file says otherwise."""
    tags, numbers = _tags(image), np.asarray(image)
    bits = tags.get(tiff.BITS, (16,))[0]
    grey = _from_floats(image, numbers) if image.mode == "F" else _from_whole(numbers, tags, bits)
    if bits == 12:
        grey = (grey << 4 | grey >> 8).astype(np.uint16)
    if tags.get(tiff.PHOTOMETRIC) == 0:
        grey = ~grey
    level = image.info.get("transparency")
    return grey[..., None] if level is None or image.mode == "F" else _with_hole(grey, level)


def _from_whole(numbers: Array, tags: Any, bits: int) -> NDArray[np.uint16]:
    if bits == 32 and tags.get(tiff.FORMAT, (1,))[0] == 1:
        numbers = numbers.astype(np.int32).view(np.uint32)
    lowest, highest = int(numbers.min()), int(numbers.max())
    if bits == 32 and highest > 65535 and numbers.dtype == np.uint32:
        warn("32-bit samples are rounded to 16 bits")
        return ((numbers.astype(np.uint64) + 32768) // 65537).astype(np.uint16)
    if lowest < 0 or highest > 65535:
        raise ImageError(f"samples from {lowest} to {highest}: 0 to 65535 are supported")
    if bits == 32 or tags.get(tiff.FORMAT, (1,))[0] != 1:
        warn(f"samples of {bits} bits are kept as 16 bits, of which 65535 is white")
    return numbers.astype(np.uint16)


def _from_floats(image: Image.Image, numbers: Array) -> NDArray[np.uint16]:
    if image.format is None:
        raise ImageError("pictures of mode F are not supported: the value of white is not defined")
    if not ((numbers >= 0) & (numbers <= 1)).all():
        lowest, highest = numbers.min(), numbers.max()
        raise ImageError(f"floats from {lowest:g} to {highest:g}: 0 to 1 are supported")
    warn("floats are rounded to 16 bits, 1 to 65535, which is white")
    return np.round(numbers.astype(np.float64) * 65535).astype(np.uint16)


def _to_srgb(image: Image.Image) -> Array:
    """CMYK by the profile of the image, or by Pillow's formula without one; CIELAB by its definition."""
    warn(f"{image.mode} is converted to sRGB")
    profile = image.info.get("icc_profile")
    wanted = {"CMYK": b"CMYK", "LAB": b"Lab "}[image.mode]
    if profile and profiles.space(profile) != wanted:
        profile = None
    converted = None
    if profile or image.mode == "LAB":
        converted = profiles.converted_to_srgb(image, profile)
    if converted is None and image.mode == "LAB":
        raise ImageError("LAB cannot be converted to sRGB here")
    return np.asarray(converted or image.convert("RGB"))

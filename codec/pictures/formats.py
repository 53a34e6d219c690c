"""Pictures to files of the formats that Pillow writes; a warning names what a format cannot hold."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre.codec.container import MetaKind
from nacre.codec.pictures import ifd, metadata, png, profiles, tiff, turned
from nacre.codec.pictures.colour import Picture, Pixels, in_depth_of, to_8_bits, to_picture
from nacre.codec.pictures.metadata import EXIF_PREFIX, ImageWarning
from nacre.entropy.errors import ImageError

HOLD_METADATA = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "MPO"}
HOLD_DENSITY = {"JPEG", "MPO", "BMP", "DIB"}  # outside of EXIF
HOLD_16_BITS = {"PNG", "TIFF"}
HOLD_16_BIT_GREY = {"JPEG2000", "PPM"}
COLOURED = {"WEBP"}  # no grey mode
HOLD_GREY_ALPHA = {"JPEG2000", "TGA"}  # as Pillow writes them
ICONS = {"ICO", "ICNS"}
OPAQUE = {"JPEG", "MPO", "BMP", "DIB", "PPM", "EPS", "PDF", "PCX"}
BEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "MPO": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
}
GREY_MODES = {"L", "LA", "I;16"}
PLAIN_TAGS = {ifd.ORIENTATION, ifd.X_RESOLUTION, ifd.Y_RESOLUTION, ifd.RESOLUTION_UNIT}
GIF_COLOURS = 256
VISIBLE = 128  # of 255; the least alpha of a pixel that GIF shows


def _warn(message: str) -> None:
    warnings.warn(message, ImageWarning, stacklevel=3)


def file_bytes(picture: Picture, format: str) -> bytes:
    """A file in one of Pillow's formats ("PNG"); an ImageWarning names what is not kept. Raises ImageError."""
    Image.init()
    if format not in Image.SAVE:
        raise ImageError(f"Pillow cannot write {format}")
    blocks = metadata.cleaned(picture.metadata, picture.orientation, picture.pixels.shape[2])
    picture = replace(picture, metadata=blocks)
    if format == "TIFF":
        return _tiff(picture)
    picture = _held(picture, format)
    if format == "PNG":
        return _png(picture)
    if format in ICONS:
        _warn(f"{format} is written in the sizes of icons: resized")
    try:
        return _saved(_image(picture, format), picture.metadata, format)
    except ImageError:
        if picture.alpha is None:
            raise
    blended = _blended(picture)  # the writer may not support alpha
    data = _saved(_image(blended, format), picture.metadata, format)
    _warn(f"transparency is blended onto white for {format}")
    return data


def picture_bytes(image: Image.Image, format: str) -> bytes:
    """`file_bytes` of a PIL image and the ICC, EXIF and XMP blocks of its `info`."""
    if image.mode not in GREY_MODES | {"RGB", "RGBA"}:
        return file_bytes(to_picture(image), format)
    samples = np.asarray(image)
    samples = samples if samples.ndim == 3 else samples[..., None]
    alpha = samples[..., -1] if samples.shape[2] % 2 == 0 else None
    keys = {MetaKind.ICC: "icc_profile", MetaKind.EXIF: "exif", MetaKind.XMP: "xmp"}
    blocks = {kind: image.info[key] for kind, key in keys.items() if image.info.get(key)}
    if MetaKind.EXIF in blocks:
        blocks[MetaKind.EXIF] = blocks[MetaKind.EXIF].removeprefix(EXIF_PREFIX)
    colours = samples if alpha is None else samples[..., :-1]
    return file_bytes(Picture(colours, blocks, alpha=alpha), format)


def _held(picture: Picture, format: str) -> Picture:
    """The picture reduced to what the format holds: turned, converted, rounded, blended onto white."""
    if format not in HOLD_METADATA:
        picture = _without_metadata(picture, format)
    if picture.pixels.dtype == np.uint16 and not _holds_16_bits(picture, format):
        _warn(f"{format} holds 8 bits a sample here: rounded")
        picture = replace(picture, pixels=to_8_bits(picture.pixels))
    if picture.alpha is not None and format in OPAQUE:
        _warn(f"transparency is blended onto white for {format}")
        picture = _blended(picture)
    return picture


def _holds_16_bits(picture: Picture, format: str) -> bool:
    return format in HOLD_16_BITS or (format in HOLD_16_BIT_GREY and picture.channels == 1)


def _without_metadata(picture: Picture, format: str) -> Picture:
    """The picture as shown, in sRGB, with the resolution as its only metadata."""
    block = picture.metadata.get(MetaKind.EXIF, b"")
    tags = ifd.fields(block)
    is_plain = ifd.is_block(block) and set(tags) <= PLAIN_TAGS
    lost = ["EXIF"] if block and not is_plain else []
    lost += ["XMP"] if MetaKind.XMP in picture.metadata else []
    if lost:
        _warn(f"{format} is written without its metadata: {' and '.join(lost)}")
    orientation = metadata.shown_orientation(picture.metadata, picture.orientation)
    pixels = _in_srgb(picture, format)
    alpha = None if picture.alpha is None else turned.shown(picture.alpha, orientation)
    kept = _density_block(block, orientation) if format in HOLD_DENSITY else b""
    return Picture(turned.shown(pixels, orientation), {MetaKind.EXIF: kept}, 1, alpha)


def _density_block(block: bytes, orientation: int) -> bytes:
    """An EXIF block of the resolution alone, of the picture as it is shown."""
    found = metadata.density(block)
    if found is None:
        return b""
    x, y, is_inch = found
    x, y = (y, x) if orientation in turned.TRANSPOSED else (x, y)
    unit = 2 if is_inch else 1
    return ifd.edited(
        b"", add={ifd.X_RESOLUTION: x, ifd.Y_RESOLUTION: y, ifd.RESOLUTION_UNIT: unit}
    )


def _in_srgb(picture: Picture, format: str) -> Pixels:
    """Pixels converted to sRGB, which readers assume where there is no profile."""
    icc = picture.metadata.get(MetaKind.ICC, b"")
    if not icc or profiles.is_srgb(icc):
        return picture.pixels
    if picture.pixels.dtype == np.uint16:
        _warn(f"converted to sRGB in 8 bits, since {format} holds no ICC profile")
    converted = profiles.to_srgb(to_8_bits(picture.pixels), icc)
    if converted is None:
        _warn(f"{format} is written without the ICC profile, which cannot be applied")
        return picture.pixels
    return converted


def _blended(picture: Picture) -> Picture:
    """Composited onto white, in 8 or 16 bits; no alpha is left."""
    assert picture.alpha is not None
    white = np.iinfo(picture.pixels.dtype).max
    share = (picture.alpha / np.iinfo(picture.alpha.dtype).max)[..., None]
    blended = np.round(picture.pixels * share + white * (1 - share))
    pixels: Pixels = blended.astype(np.uint8) if white == 255 else blended.astype(np.uint16)
    return replace(picture, pixels=pixels, alpha=None)


def _samples(picture: Picture) -> NDArray[Any]:
    """(H, W, 1 to 4) of one type; alpha is the last channel."""
    if picture.alpha is None:
        return picture.pixels
    return np.dstack([picture.pixels, in_depth_of(picture.alpha, picture.pixels.dtype)])


def _tiff(picture: Picture) -> bytes:
    samples = _samples(picture)
    if samples.dtype == np.uint16 and samples.shape[2] == 2:
        samples = samples[..., [0, 0, 0, 1]]  # Pillow reads no 16-bit grey with alpha
        icc = metadata.fitted(picture.metadata.get(MetaKind.ICC, b""), 3)
    else:
        icc = picture.metadata.get(MetaKind.ICC, b"")
    block = picture.metadata.get(MetaKind.EXIF, b"")
    if block and not ifd.is_block(block):
        _warn("TIFF is written without EXIF, which cannot be parsed")
    return tiff.write(samples, block, icc, picture.metadata.get(MetaKind.XMP, b""))


def _png(picture: Picture) -> bytes:
    blocks, samples = picture.metadata, _samples(picture)
    exif, icc = (blocks.get(kind, b"") for kind in (MetaKind.EXIF, MetaKind.ICC))
    added = [png.icc_chunk(icc)] if icc else []
    density = metadata.density(exif)
    added += [png.density_chunk(*density)] if density else []
    added += [png.exif_chunk(exif)] if exif else []
    if MetaKind.XMP in blocks:
        text = _xmp_text(blocks[MetaKind.XMP])
        added += [png.xmp_chunk(text)] if text else []
    if samples.dtype == np.uint16:
        return png.with_chunks(png.write(samples), added)
    out = io.BytesIO()
    _from_samples(samples).save(out, "PNG")
    return png.with_chunks(out.getvalue(), added)


def _xmp_text(xmp: bytes) -> str:
    """XMP, in UTF-8 or UTF-16, as text for PNG; empty with a warning for other bytes."""
    for encoding in ("utf-8", "utf-16"):
        try:
            return xmp.decode(encoding)
        except UnicodeDecodeError:
            continue
    _warn("PNG is written without XMP, which is not text")
    return ""


def _from_samples(samples: NDArray[Any]) -> Image.Image:
    return Image.fromarray(
        np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    )


def _image(picture: Picture, format: str) -> Image.Image:
    samples = _samples(picture)
    if format == "GIF":
        return _for_gif(samples)
    image = _from_samples(samples)
    if format in COLOURED and image.mode == "L":
        return image.convert("RGB")
    return image.convert("RGBA") if image.mode == "LA" and format not in HOLD_GREY_ALPHA else image


def _for_gif(samples: NDArray[np.uint8]) -> Image.Image:
    """A palette of 256 colours, one of which is the transparent one."""
    channels = samples.shape[2]
    colours = _from_samples(samples if channels % 2 else samples[..., :-1])
    hidden = samples[..., -1] < VISIBLE if channels % 2 == 0 else None
    if hidden is not None and ((samples[..., -1] > 0) & (samples[..., -1] < 255)).any():
        _warn("GIF has no partial transparency: rounded")
    most = GIF_COLOURS if hidden is None else GIF_COLOURS - 1
    if colours.getcolors(most) is None:
        _warn(f"GIF holds {GIF_COLOURS} colours: reduced")
    if hidden is None:
        return colours
    image = colours.convert("RGB").quantize(most, Image.Quantize.MEDIANCUT)
    indices = np.where(hidden, most, np.asarray(image)).astype(np.uint8)
    palette = (image.getpalette() or [])[: 3 * most]
    out = Image.fromarray(indices)
    out.putpalette(palette + [0] * (3 * GIF_COLOURS - len(palette)))
    out.info["transparency"] = most
    return out


def _saved(image: Image.Image, blocks: dict[MetaKind, bytes], format: str) -> bytes:
    """A file by Pillow's writer. Where it refuses metadata, as few blocks as possible are left out."""
    exif = blocks.get(MetaKind.EXIF, b"")
    options: dict[str, Any] = dict(BEST.get(format, {}))
    density = metadata.density(exif)
    if format in HOLD_DENSITY and density and density[2]:
        options["dpi"] = density[:2]
    channels = 1 if image.mode in GREY_MODES else 3
    given = {
        "exif": EXIF_PREFIX + exif if exif else b"",
        "xmp": blocks.get(MetaKind.XMP, b""),
        "icc_profile": metadata.fitted(blocks.get(MetaKind.ICC, b""), channels),
    }
    given = {key: data for key, data in given.items() if data and format in HOLD_METADATA}
    plain = ifd.edited(b"", add={ifd.ORIENTATION: metadata.shown_orientation(blocks, 1)})
    small = {"exif": EXIF_PREFIX + plain} if "exif" in given else {}
    reason: Exception | None = None
    for lost in ([], ["xmp"], ["exif"], ["icc_profile"], ["xmp", "exif"], sorted(given)):
        if not set(lost) <= set(given):
            continue
        kept = {key: data for key, data in given.items() if key not in lost}
        try:
            data = _written(image, format, options | (small if "exif" in lost else {}) | kept)
        except Exception as error:  # writers of Pillow raise whatever the metadata make them
            reason = reason or error
            continue
        if lost:
            _warn(f"{format} is written without {' and '.join(lost)}: {reason}")
        return data
    raise ImageError(f"Pillow cannot write this picture as {format}: {reason}") from reason


def _written(image: Image.Image, format: str, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()

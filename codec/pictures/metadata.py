"""Metadata of a picture: ICC, EXIF and XMP blocks from the fields of a PIL image, and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from PIL import Image

from nacre.codec.container import MetaKind
from nacre.codec.pictures import ifd, png, profiles
from nacre.codec.pictures.source import source

EXIF_PREFIX = (
    b"Exif\0\0"  # precedes the block in JPEG and in Pillow's `info`; not stored in nacre files
)
GAMMAS = (0.1, 10)  # range of a gAMA chunk that is believed
IPTC_RESOURCE = 0x0404  # number of the Photoshop resource
TEXT_TAGS = {  # keywords of PNG
    "Author": ifd.ARTIST,
    "Copyright": ifd.COPYRIGHT,
    "Description": ifd.IMAGE_DESCRIPTION,
    "Software": ifd.SOFTWARE,
    "Creation Time": ifd.DATE_TIME,
}
KEPT_TEXTS = {"XML:com.adobe.xmp", "Raw profile type exif"}

UNSPECIFIED = 2  # code point of H.273


class ImageWarning(UserWarning):
    """Part of a picture, of its samples or its metadata, is converted or not kept."""


@dataclass(frozen=True)
class Numbers:
    """Code points of H.273 for colour primaries and transfer characteristics."""

    primaries: int
    transfer: int
    is_full: bool = True  # full range; otherwise narrow range, 16 to 235 of 255


def warn(message: str) -> None:
    warnings.warn(message, ImageWarning, stacklevel=3)


def exif(image: Image.Image) -> tuple[int, bytes]:
    """Orientation, 1 to 8, and the EXIF block unchanged; 1 where the block cannot be parsed.

    It is 1 for TIFF files too, because Pillow applies their orientation when it loads them.
    """
    raw = image.info.get("exif") or b""
    try:
        tags = image.getexif()
        orientation, raw = tags.get(ifd.ORIENTATION, 1), raw or (tags.tobytes() if tags else b"")
    except Exception:  # readers of Pillow raise whatever their parsing hits
        if not raw:
            warn("the EXIF tags cannot be read and are not kept")
        orientation = 1
    if hasattr(image, "tag_v2") or orientation not in range(1, 9):
        orientation = 1
    return orientation, raw


def blocks(
    image: Image.Image, channels: int, numbers: Numbers | None, is_srgb: bool
) -> tuple[dict[MetaKind, bytes], int]:
    """Metadata blocks and orientation of a loaded image.

    `channels` of its samples are 1 or 3. `numbers` define its colour space; with `is_srgb` the samples were
    converted to sRGB, and no profile is kept.
    """
    orientation, raw = exif(image)
    found = {
        MetaKind.ICC: b"" if is_srgb else _profile(image, channels, numbers),
        MetaKind.EXIF: _exif_block(image, raw.removeprefix(EXIF_PREFIX), orientation),
        MetaKind.XMP: _xmp(image),
    }
    return {kind: data for kind, data in found.items() if data}, orientation


def _xmp(image: Image.Image) -> bytes:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return xmp.encode() if isinstance(xmp, str) else xmp


def named_colours(image: Image.Image) -> Numbers | None:
    """Code points of cICP of a PNG, or of nclx of an AVIF without a profile."""
    if image.format not in ("PNG", "AVIF"):
        return None
    with source(image) as file:
        if file is None:
            return None
        if image.format == "PNG":
            found = next((data for kind, data in png.chunks(file) if kind == b"cICP"), b"")
            return Numbers(found[0], found[1], found[3] != 0) if len(found) == 4 else None
        head = file.read(1 << 16)
    at = head.find(b"colrnclx")
    if at < 0 or len(head) < at + 12 or image.info.get("icc_profile"):
        return None
    primaries, transfer = (int.from_bytes(head[at + i : at + i + 2], "big") for i in (8, 10))
    return None if UNSPECIFIED in (primaries, transfer) else Numbers(primaries, transfer)


def _profile(image: Image.Image, channels: int, numbers: Numbers | None) -> bytes:
    """ICC profile, by the precedence of the PNG standard: cICP, iCCP, sRGB, then gAMA and cHRM."""
    if numbers is not None:
        colours = profiles.by_numbers(numbers.primaries, numbers.transfer)
        if colours is not None:
            return profiles.made(colours, channels)
        named = f"primaries {numbers.primaries} and transfer {numbers.transfer} of H.273"
        warn(f"the colour space, {named}, is not kept")
    icc = image.info.get("icc_profile") or b""
    if icc:
        return fitted(icc, channels)
    gamma, points = image.info.get("gamma"), image.info.get("chromaticity")
    if "srgb" in image.info or not (gamma or points):
        return b""
    if gamma and not GAMMAS[0] <= gamma <= GAMMAS[1]:
        warn(f"a gamma of {gamma} is not kept")
        gamma = None
    curve = (1 / gamma,) if gamma else profiles.SRGB_CURVE
    try:
        return profiles.made(_by_points(points, curve), channels)
    except ValueError as error:
        warn(f"the colour space is not kept: {error}")
        return b""


def _by_points(points: tuple[float, ...] | None, curve: tuple[float, ...]) -> profiles.Colours:
    """Colour space of a cHRM chunk: x and y of white, red, green and blue."""
    if not points:
        return profiles.Colours(curve=curve)
    white, red, green, blue = zip(points[::2], points[1::2], strict=True)
    return profiles.Colours(white, (red, green, blue), curve)


def fitted(icc: bytes, channels: int) -> bytes:
    """A profile for that many channels: `icc` or one made of its tone curve; else empty, with a warning."""
    found = profiles.fitted(icc, channels)
    if found is None:
        kind = profiles.space(icc).decode("latin-1").strip()
        warn(
            f"an ICC profile of {kind} is not kept: the samples are {'RGB' if channels > 1 else 'grey'}"
        )
    return found or b""


def _exif_block(image: Image.Image, block: bytes, orientation: int) -> bytes:
    """EXIF without tags of the source file's layout, and with metadata from outside the block."""
    if hasattr(image, "tag_v2"):
        tags = image.tag_v2
        if ifd.LAYERS in tags:
            warn("Photoshop layers are not kept")
        block = ifd.compact(block, ifd.STRUCTURE | {ifd.ORIENTATION}) if block else b""
    present = set(ifd.fields(block))
    added: dict[int, ifd.Value | ifd.Text] = {}
    if orientation != 1:
        added[ifd.ORIENTATION] = orientation
    if not hasattr(image, "tag_v2"):
        added |= _resolution(image)
    resources = image.info.get("photoshop")
    if isinstance(resources, dict) and isinstance(resources.get(IPTC_RESOURCE), bytes):
        added[ifd.IPTC] = resources[IPTC_RESOURCE]
    added |= _texts(image, block)
    new = {tag: value for tag, value in added.items() if tag not in present}
    return _unless_empty(ifd.edited(block, ifd.STRUCTURE, new))


def _unless_empty(block: bytes) -> bytes:
    return b"" if ifd.is_block(block) and not ifd.fields(block) else block


def _resolution(image: Image.Image) -> dict[int, ifd.Value | ifd.Text]:
    """Resolution in dots per inch, or the aspect ratio of a pixel, as tags."""
    info, unit = image.info, 2
    found: Any = info.get("dpi")
    if image.format in ("JPEG", "MPO") and info.get("jfif_unit") not in (1, 2):
        found = None  # Pillow invents a value
    if not found:
        found, unit = info.get("aspect") or info.get("jfif_density"), 1
    if not isinstance(found, tuple) or len(found) != 2 or min(found) <= 0:
        return {}
    if unit == 1 and found[0] == found[1]:
        return {}
    x, y = map(float, found)
    return {ifd.X_RESOLUTION: x, ifd.Y_RESOLUTION: y, ifd.RESOLUTION_UNIT: unit}


def density(block: bytes) -> tuple[float, float, bool] | None:
    """Undo `_resolution`: horizontal, vertical, and whether the unit is dots per inch."""
    tags = ifd.fields(block)
    if ifd.X_RESOLUTION not in tags or ifd.Y_RESOLUTION not in tags:
        return None
    x, y = (tags[tag].rational() for tag in (ifd.X_RESOLUTION, ifd.Y_RESOLUTION))
    unit = (*(tags[ifd.RESOLUTION_UNIT].numbers() if ifd.RESOLUTION_UNIT in tags else ()), 2)[0]
    if min(x, y) <= 0 or (unit == 1 and x == y):
        return None
    return (x * 2.54, y * 2.54, True) if unit == 3 else (x, y, unit == 2)


def _texts(image: Image.Image, block: bytes) -> dict[int, ifd.Value | ifd.Text]:
    """PNG texts and comments as tags, with a warning that names those for which no tag exists."""
    found: dict[str, Any] = {}
    if image.format == "PNG":
        found = {k: v for k, v in getattr(image, "text", {}).items() if k not in KEPT_TEXTS}
    if image.info.get("comment"):
        found["comment"] = image.info["comment"]
    present, kept, lost = ifd.fields(block), dict[int, ifd.Value | ifd.Text](), []
    for key, value in found.items():
        tag = ifd.IMAGE_DESCRIPTION if key == "comment" else TEXT_TAGS.get(key)
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        text = _date(text) if tag == ifd.DATE_TIME else text
        if tag in present and present[tag].data.rstrip(b"\0") == text.encode():
            continue
        if tag is None or tag in present or tag in kept or not text or "\0" in text:
            lost.append(key)
        else:
            kept[tag] = ifd.Text(text)
    if lost:
        warn(f"texts are not kept: {', '.join(sorted(lost))}")
    return kept


def _date(text: str) -> str:
    """A date in the form of EXIF; empty if the text is no date."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return parse(text.strip()).strftime("%Y:%m:%d %H:%M:%S")
        except (ValueError, TypeError, IndexError):
            continue
    return ""


def shown_orientation(metadata: Mapping[MetaKind, bytes], orientation: int) -> int:
    """The orientation that readers apply: the tag of the EXIF block, else the orientation of the head."""
    tag = ifd.fields(metadata.get(MetaKind.EXIF, b"")).get(ifd.ORIENTATION)
    told = tag.numbers()[:1] if tag is not None else ()
    return told[0] if told and told[0] in range(1, 9) else orientation


def cleaned(
    metadata: Mapping[MetaKind, bytes], orientation: int, channels: int | None = None
) -> dict[MetaKind, bytes]:
    """Metadata blocks of a nacre file, made fit for a file of another format with 1 or 3 channels.

    The EXIF block gets the orientation. Files of early versions also have tags of their source file's layout
    and profiles for other channels, which are removed.
    """
    found = dict(metadata)
    block = found.get(MetaKind.EXIF, b"")
    is_told = orientation == 1 or ifd.ORIENTATION in ifd.fields(block)
    added: dict[int, ifd.Value | ifd.Text] = {} if is_told else {ifd.ORIENTATION: orientation}
    found[MetaKind.EXIF] = _unless_empty(ifd.edited(block, ifd.STRUCTURE, added))
    if MetaKind.ICC in found and channels is not None:
        found[MetaKind.ICC] = fitted(found[MetaKind.ICC], channels)
    return {kind: data for kind, data in found.items() if data}


def metadata_info(
    metadata: Mapping[MetaKind, bytes], orientation: int, channels: int | None = None
) -> dict[str, bytes]:
    """Metadata blocks as Pillow keeps them in `info`; an orientation without EXIF gets an EXIF block."""
    found = cleaned(metadata, orientation, channels)
    info = {
        "icc_profile": found.get(MetaKind.ICC, b""),
        "exif": EXIF_PREFIX + found[MetaKind.EXIF] if MetaKind.EXIF in found else b"",
        "xmp": found.get(MetaKind.XMP, b""),
    }
    return {key: value for key, value in info.items() if value}

"""One picture coded by several codecs to about one size, for visual comparison."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nacre.tools.evaluate.codecs.base import Codec
from nacre.tools.evaluate.measure import codec_named, open_picture
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.results import CodecResult, Evaluation

LARGEST = 384  # pixels; side of the crop that is shown, as lossless data in the page
TARGET_BPP = 0.3  # bits per pixel at which differences are visible
SHOWN = 2  # pictures, unless names are given
PROBES = 7  # encodings per codec in the search for a size


@dataclass(frozen=True)
class Side:
    """The crop as one codec shows it."""

    label: str
    said: str  # text: bytes, bits per pixel, PSNR of the whole picture or clip
    urls: tuple[str, ...]  # data URLs, WebP: one, or one for each frame
    frames: tuple[str, ...] = ()  # text for each frame of a clip


@dataclass(frozen=True)
class SideBySide:
    """The middle of a picture or clip: the original, then each codec."""

    picture: str
    width: int
    height: int
    sides: tuple[Side, ...]
    rate: float = 0.0  # frames a second of a clip

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(found: Evaluation, path: Path, name: str = "") -> SideBySide:
    """Encode a picture with each codec, near 0.3 bits per pixel or the lowest rate that all codecs reached.

    The first codec sets the size in bytes that the others approach. `name` is the name of the picture in the
    evaluation, by default the name of the file. Codecs without rows of the picture and codecs that fail are
    left out; `sides` is empty when none is left.
    """
    name, image = name or path.name, open_picture(path)
    sides = [Side("original", f"{image.width}x{image.height}", _urls(image))]
    rows = {c.codec: [row for row in c.rows if row.picture == name] for c in found.codecs}
    smallest = [min(row.bytes for row in own) for own in rows.values() if own]
    wanted = max([TARGET_BPP * image.width * image.height / 8, *smallest])
    for result in found.codecs:
        if not rows[result.codec]:
            continue
        try:
            data, decoded = _nearest(result, name, image, wanted)
        except Exception:  # a codec's library may raise anything; the page has its other sides
            continue
        if len(sides) == 1:
            wanted = len(data)
        bpp = 8 * len(data) / (image.width * image.height)
        psnr = psnr_db(np.asarray(image), np.asarray(decoded))
        said = f"{len(data):,} bytes, {bpp:.3f} bits per pixel, {psnr:.2f} dB"
        sides.append(Side(result.name, said, _urls(decoded)))
    width, height = _crop(image).size
    return SideBySide(name, width, height, tuple(sides) if len(sides) > 1 else ())


def _nearest(
    result: CodecResult, picture: str, image: Image.Image, wanted: float
) -> tuple[bytes, Image.Image]:
    """Return the file whose size is nearest to `wanted` bytes, and the picture decoded from it.

    Bisects between the two measured qualities around that size.
    """
    codec = codec_named(result.codec)
    rows = sorted((r for r in result.rows if r.picture == picture), key=lambda r: r.bytes)
    best = min(rows, key=lambda r: abs(r.bytes - wanted))
    found = {best.quality: codec.encode(image, best.quality)}
    below = [r for r in rows if r.bytes <= wanted]
    above = [r for r in rows if r.bytes > wanted]
    if below and above:
        _bisect(codec, image, wanted, (below[-1].quality, above[0].quality), found)
    data = min(found.values(), key=lambda d: abs(len(d) - wanted))
    return data, codec.decode(data, image.size)


def _bisect(
    codec: Codec,
    image: Image.Image,
    wanted: float,
    ends: tuple[float, float],
    found: dict[float, bytes],
) -> None:
    """Add files to `found`; `ends` are qualities of a smaller and of a larger file, in any order."""
    small, large = ends
    for _ in range(PROBES):
        middle = float(round((small + large) / 2))
        if middle in (small, large):
            return
        found[middle] = codec.encode(image, middle)
        if len(found[middle]) <= wanted:
            small = middle
        else:
            large = middle


def shown_pictures(found: Evaluation, folder: Path, names: Sequence[str] = ()) -> list[SideBySide]:
    """The named pictures, or some spread evenly over the set; pictures without sides are left out."""
    shown = [compare(found, folder / name, name) for name in names or _middle_names(found)]
    return [comparison for comparison in shown if comparison.sides]


def _middle_names(found: Evaluation) -> list[str]:
    names = sorted(found.pictures)
    return [names[(2 * i + 1) * len(names) // (2 * SHOWN)] for i in range(min(SHOWN, len(names)))]


def crop(image: Image.Image, largest: tuple[int, int]) -> Image.Image:
    """The middle of a picture, at most `largest` (width, height)."""
    sides = zip(image.size, largest, strict=True)
    left, top = (max(0, (side - most) // 2) for side, most in sides)
    right, bottom = min(image.width, left + largest[0]), min(image.height, top + largest[1])
    return image.crop((left, top, right, bottom))


def data_url(image: Image.Image, **options: Any) -> str:
    """A data URL of the picture as WebP, with options of Pillow's save."""
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _crop(image: Image.Image) -> Image.Image:
    return crop(image, (LARGEST, LARGEST))


def _urls(image: Image.Image) -> tuple[str, ...]:
    return (data_url(_crop(image), lossless=True, exact=True),)

"""One picture coded by several codecs to about the same size, for the eye."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
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
PROBES = 7  # encodings per codec in the search for a size


@dataclass(frozen=True)
class Side:
    """The crop as one codec shows it."""

    label: str
    said: str  # bytes, bits per pixel, PSNR of the whole picture
    url: str  # data URL, lossless WebP


@dataclass(frozen=True)
class SideBySide:
    """The middle of a picture: the original first, then each codec."""

    picture: str
    width: int
    height: int
    sides: tuple[Side, ...]

    def to_json(self) -> dict[str, Any]:
        sides = [{"label": s.label, "said": s.said, "url": s.url} for s in self.sides]
        return {"picture": self.picture, "width": self.width, "height": self.height, "sides": sides}


def compare(found: Evaluation, path: Path, name: str = "") -> SideBySide:
    """Encode a picture with each codec, near 0.3 bits per pixel or the least that all have reached.

    The first codec sets the size in bytes that the others come near to. `name` is that of the picture in
    the evaluation, that of the file by default. Codecs without rows of the picture
    and codecs that fail are left out; `sides` is empty when none is left.
    """
    name, image = name or path.name, open_picture(path)
    sides = [Side("original", f"{image.width}x{image.height}", _url(image))]
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
        sides.append(Side(result.name, said, _url(decoded)))
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


def _crop(image: Image.Image) -> Image.Image:
    left, top = (max(0, (side - LARGEST) // 2) for side in image.size)
    return image.crop(
        (left, top, min(image.width, left + LARGEST), min(image.height, top + LARGEST))
    )


def _url(image: Image.Image) -> str:
    file = io.BytesIO()
    _crop(image).save(file, "WEBP", lossless=True, exact=True)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()

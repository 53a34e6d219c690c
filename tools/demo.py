"""The demonstration: codes a photograph, and compares its size with JPEG, WebP and AVIF at equal PSNR.

make demo
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nacre import codec
from nacre.tools.batch import write_output
from nacre.tools.evaluate.metrics import psnr_db

PHOTO = Path(__file__).parent / "demo" / "beacon-street.png"
OUTPUT = Path("demo-out")
QUALITY = 40
OTHERS: dict[str, dict[str, Any]] = {
    "JPEG": {"optimize": True, "subsampling": 0},
    "WEBP": {"method": 6},
    "AVIF": {"speed": 4, "subsampling": "4:4:4"},
}
BAND = 24  # pixels of caption


def bytes_at(image: Image.Image, format: str, wanted_db: float) -> tuple[float, float] | None:
    """Bytes of a format at `wanted_db`, interpolated between its two nearest qualities, and the higher PSNR.

    None if this Pillow lacks the format, or no quality reaches the PSNR.
    """
    from PIL import features

    if format != "JPEG" and not features.check(format.lower()):
        return None
    low, high = 0, 100
    points: dict[int, tuple[float, float]] = {}
    while high - low > 1:  # PSNR rises with quality, so bisect
        middle = (low + high) // 2
        out = io.BytesIO()
        image.save(out, format, quality=middle, **OTHERS[format])
        points[middle] = (
            len(out.getvalue()),
            psnr_db(np.asarray(image), np.asarray(Image.open(out).convert("RGB"))),
        )
        low, high = (middle, high) if points[middle][1] < wanted_db else (low, middle)
    below, above = points.get(low), points.get(high)
    if below is None or above is None:
        return None
    share = (wanted_db - below[1]) / (above[1] - below[1])
    return float(np.exp(np.log(below[0]) * (1 - share) + np.log(above[0]) * share)), above[1]


def beside(left: Image.Image, right: Image.Image, captions: tuple[str, str]) -> Image.Image:
    """Two pictures of one size side by side, with captions below."""
    both = Image.new("RGB", (2 * left.width, left.height + BAND), "white")
    draw, font = ImageDraw.Draw(both), ImageFont.load_default(14)
    for x, image, caption in ((0, left, captions[0]), (left.width, right, captions[1])):
        both.paste(image, (x, 0))
        draw.text((x + 6, left.height + 4), caption, fill="black", font=font)
    return both


def main() -> int:
    image = Image.open(PHOTO).convert("RGB")
    pixels = image.width * image.height
    codec.encode(image)  # loads the model, which the times below do not count
    start = time.perf_counter()
    data = codec.encode(image, quality=QUALITY)
    encoded = time.perf_counter()
    decoded = codec.decode(data)
    done = time.perf_counter()
    error = psnr_db(np.asarray(image), np.asarray(decoded))
    bpp = 8 * len(data) / pixels
    print(f"{PHOTO.name}: {image.width}x{image.height}, {3 * pixels:,} bytes of samples")
    print(f"nacre, quality {QUALITY}: {len(data):,} bytes, {bpp:.3f} bpp, {error:.2f} dB PSNR")
    print(f"encoded in {encoded - start:.2f} s, decoded in {done - encoded:.2f} s")
    print(f"\nfor {error:.2f} dB the others need")
    for format in OTHERS:
        found = bytes_at(image, format, error)
        if found is None:
            print(f"  {format:5} not in this Pillow, or not at this quality")
        else:
            print(f"  {format:5} {found[0]:9,.0f} bytes, {found[0] / len(data) - 1:+.0%}")
    picture = io.BytesIO()
    captions = (
        "original",
        f"nacre: {len(data):,} bytes, {3 * pixels / len(data):.0f} to 1, {error:.2f} dB",
    )
    beside(image, decoded, captions).save(picture, "PNG")
    write_output(str(OUTPUT / "photo.ncr"), data, force=True)
    write_output(str(OUTPUT / "demo.png"), picture.getvalue(), force=True)
    print(
        f"\nwritten: {OUTPUT / 'photo.ncr'}, and both pictures beside each other in {OUTPUT / 'demo.png'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

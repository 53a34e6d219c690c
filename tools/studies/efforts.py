"""What the efforts of the encoder win, and what they cost: the table and the plot of docs/effort.md.

python -m nacre.tools.efforts PICTURES... --efforts 1 2 3 [--qualities 30 60] [--crop 256] [--json F] [--svg F]

BD-rate against effort 0 for each picture over the qualities, then the mean. Rows are added to those that the
JSON file has, so that efforts which take long can be measured on fewer pictures; the plot has all of them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nacre import codec
from nacre.tools.evaluate.bdrate import Curve, bd_rate
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.plot import Axes, Series, draw

MEGAPIXEL = 1e6


@dataclass(frozen=True)
class EffortResult:
    """One picture at one effort; seconds are those of all qualities together."""

    curve: Curve
    encode_seconds: float
    decode_seconds: float


def measured(image: Image.Image, effort: int, qualities: Sequence[int]) -> EffortResult:
    pixels = np.asarray(image)
    rate, psnr, encoding, decoding = [], [], 0.0, 0.0
    for quality in qualities:
        start = time.perf_counter()
        data = codec.encode(image, quality=quality, effort=effort, strip=True)
        between = time.perf_counter()
        decoded = np.asarray(codec.decode(data))
        encoding += between - start
        decoding += time.perf_counter() - between
        rate.append(8 * len(data) / (image.width * image.height))
        psnr.append(psnr_db(pixels, decoded))
    return EffortResult(Curve.of(f"effort {effort}", rate, psnr), encoding, decoding)


def row(
    images: Sequence[Image.Image],
    plain: Sequence[EffortResult],
    effort: int,
    qualities: Sequence[int],
) -> dict[str, Any]:
    """Means over pictures of what an effort does against effort 0, which is `plain`."""
    found = [measured(image, effort, qualities) for image in images] if effort else plain
    rates = [bd_rate(p.curve, f.curve).value for p, f in zip(plain, found, strict=True)]
    megapixels = len(qualities) * sum(i.width * i.height for i in images) / MEGAPIXEL
    return {
        "effort": effort,
        "bd_rate_percent": float(np.mean(rates)),
        "encode_s_per_megapixel": sum(f.encode_seconds for f in found) / megapixels,
        "decode_s_per_megapixel": sum(f.decode_seconds for f in found) / megapixels,
        "pictures": len(images),
        "size": list(images[0].size),
        "qualities": list(qualities),
    }


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """Bits saved over seconds, as an <svg>."""
    rows = [r for r in rows if r["effort"]]
    line = Series(
        "nacre", "nacre",
        [r["encode_s_per_megapixel"] for r in rows], [-r["bd_rate_percent"] for r in rows],
    )  # fmt: skip
    axes = Axes("encoding, seconds a megapixel", "bits saved, %", is_x_log=True)
    return draw([line], axes, {"nacre": 0})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--efforts", type=int, nargs="+", required=True)
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 30, 50, 70])
    parser.add_argument("--crop", type=int, help="pixels a side, from the middle")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args(argv)
    images = [Image.open(path).convert("RGB") for path in args.pictures]
    if args.crop:
        images = [_middle(image, args.crop) for image in images]
    known = json.loads(args.json.read_text()) if args.json and args.json.exists() else []
    rows = {r["effort"]: r for r in known}
    codec.encode(images[0], effort=1)  # warm
    print("| effort | BD-rate, % | encode, s/MP | decode, s/MP | pictures |\n|---|---|---|---|---|")
    plain = [measured(image, 0, args.qualities) for image in images]
    for effort in args.efforts:
        r = rows[effort] = row(images, plain, effort, args.qualities)
        print(
            f"| {effort} | {r['bd_rate_percent']:+.2f} | {r['encode_s_per_megapixel']:.1f} | "
            f"{r['decode_s_per_megapixel']:.2f} | {len(images)} of {images[0].width}x{images[0].height} |",
            flush=True,
        )
        ordered = [rows[e] for e in sorted(rows)]
        if args.json:
            args.json.write_text(json.dumps(ordered, indent=1) + "\n")
        if args.svg and len(ordered) > 2:
            args.svg.write_text(plot(ordered) + "\n")
    return 0


def _middle(image: Image.Image, side: int) -> Image.Image:
    side = min(side, image.width, image.height)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


if __name__ == "__main__":
    raise SystemExit(main())

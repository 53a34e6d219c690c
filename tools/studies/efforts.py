"""Measure BD-rate and seconds of the efforts of the encoder: the tables and the plot of docs/effort.md.

    python -m nacre.tools.studies.efforts PICTURES --efforts 1 2 3 --json FILE [--qualities 30 60] [--crop 256]

PICTURES are files or folders. The BD-rate of each picture is against effort 0, over the qualities; the table
has the mean. A later run adds its rows to the JSON file, so that slow efforts can be measured on fewer
pictures; --svg plots all rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nacre import codec
from nacre.tools.evaluate.bdrate import Curve, bd_rate
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.plot import Axes, Series, draw
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

MEGAPIXEL = 1e6


@dataclass(frozen=True)
class EffortResult:
    """One picture at one effort; seconds are summed over all qualities."""

    curve: Curve
    encode_seconds: float
    decode_seconds: float


def measure(image: Image.Image, effort: int, qualities: Sequence[int]) -> EffortResult:
    """Encode and decode at all qualities."""
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


def means(
    images: Sequence[Image.Image],
    plain: Sequence[EffortResult],
    effort: int,
    qualities: Sequence[int],
) -> Figures:
    """Means over pictures of an effort against effort 0, whose results are `plain`."""
    found = [measure(image, effort, qualities) for image in images] if effort else plain
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


def table(figures: Figures) -> str:
    """Markdown: one row for each effort."""
    head = ["effort", "BD-rate, %", "encode, s a megapixel", "decode, s a megapixel", "pictures"]
    rows = [
        [
            str(row["effort"]),
            f"{row['bd_rate_percent']:+.2f}" if row["effort"] else "0",
            f"{row['encode_s_per_megapixel']:.1f}",
            f"{row['decode_s_per_megapixel']:.2f}",
            f"{row['pictures']} of {row['size'][0]}x{row['size'][1]}",
        ]
        for row in figures["efforts"]
    ]
    return study.markdown(head, rows)


def plot(figures: Figures) -> str:
    """Bits saved over seconds, as an <svg>."""
    rows = [row for row in figures["efforts"] if row["effort"]]
    line = Series(
        "nacre", "nacre",
        [row["encode_s_per_megapixel"] for row in rows], [-row["bd_rate_percent"] for row in rows],
    )  # fmt: skip
    axes = Axes("encoding, seconds a megapixel", "bits saved, %", is_x_log=True)
    return draw([line], axes, {"nacre": 0})


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURES")
    parser.add_argument("--efforts", type=int, nargs="+", required=True)
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 30, 50, 70])
    parser.add_argument(
        "--crop", type=int, metavar="PIXELS", help="a square of that side, from the middle"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot there")
    args = parser.parse_args(argv)
    images = [study.open_rgb(path) for path in study.picture_files(args.pictures)]
    if args.crop:
        images = [study.middle(image, args.crop) for image in images]
    known = study.read(args.json)["efforts"] if args.json and args.json.exists() else []
    rows = {row["effort"]: row for row in known}
    figures: Figures = {"conditions": study.conditions()}
    codec.encode(images[0], effort=1)  # warm up
    plain = [measure(image, 0, args.qualities) for image in images]
    for effort in args.efforts:
        rows[effort] = means(images, plain, effort, args.qualities)
        figures["efforts"] = [rows[e] for e in sorted(rows)]
        study.write(args.json, figures)
        if args.svg and len(rows) > 2:
            args.svg.write_text(plot(figures) + "\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

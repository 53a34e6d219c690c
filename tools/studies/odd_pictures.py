"""Compare odd pictures with lossless WebP of any size and JPEG 4:4:4 of the same size: docs/odd.md.

    python -m nacre.tools.studies.odd_pictures --json docs/results/odd.json

Odd pictures are dithers, patterns, codes, noise and the like (datasets/odd.py). Exit code 1 says that a picture
takes more bytes than WebP, shows fewer dB than JPEG, or loses dB as quality rises.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from nacre import codec
from nacre.codec.encoder import DEFAULT_EFFORT
from nacre.datasets import odd
from nacre.datasets.pictures import Pixels
from nacre.tools.evaluate.metrics import EQUAL_DB, psnr_db
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

QUALITIES = (30, 60, 90, 100)
SEED = 2026  # training draws from another seed
SIDE = 256  # pixels
MARGIN_BYTES = 64  # over lossless WebP: the framing of a file
MARGIN_DB = 0.5  # under JPEG
GOOD_DB = 60.0  # JPEG above this is not compared
NOISE_DB = 0.1  # by which PSNR may fall as quality rises
JPEG_QUALITIES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 100)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def jpeg_curve(pixels: Pixels) -> list[tuple[int, float]]:
    """Bytes and PSNR of JPEG 4:4:4, in order of quality."""
    image, found = Image.fromarray(pixels), []
    for quality in JPEG_QUALITIES:
        data = saved(image, "JPEG", quality=quality, subsampling=0)
        found.append((len(data), psnr_db(np.asarray(Image.open(io.BytesIO(data))), pixels)))
    return found


def jpeg_db(curve: Sequence[tuple[int, float]], size: int) -> float | None:
    """PSNR of JPEG at a size in bytes, interpolated; None where no JPEG file is so small."""
    sizes, decibels = (np.array(column, float) for column in zip(*curve, strict=True))
    if size < sizes[0]:
        return None
    return float(np.interp(np.log(size), np.log(sizes), np.maximum.accumulate(decibels)))


def measure(name: str, pixels: Pixels, effort: int) -> Figures:
    """Encode one picture at all qualities."""
    curve, rows = jpeg_curve(pixels), []
    for quality in QUALITIES:
        data = codec.encode(pixels, quality=quality, effort=effort)
        shown = np.asarray(codec.decode(data))
        jpeg = jpeg_db(curve, len(data))
        rows.append(
            {
                "quality": quality,
                "bytes": len(data),
                "psnr_db": psnr_db(shown, pixels),
                "jpeg_db": jpeg,
            }
        )
    lossless = len(saved(Image.fromarray(pixels), "WEBP", lossless=True))
    return {"kind": name, "webp_bytes": lossless, "rows": rows}


def faults(found: Figures) -> list[str]:
    """Return a line for each promise that a picture breaks."""
    said, before = [], 0.0
    for row in found["rows"]:
        at = f"{found['kind']} at {row['quality']}"
        if row["bytes"] > found["webp_bytes"] + MARGIN_BYTES:
            said.append(f"{at}: {row['bytes']} bytes, lossless WebP {found['webp_bytes']}")
        if row["jpeg_db"] is not None and row["psnr_db"] < min(row["jpeg_db"], GOOD_DB) - MARGIN_DB:
            said.append(f"{at}: {row['psnr_db']:.2f} dB, JPEG {row['jpeg_db']:.2f}")
        if row["psnr_db"] < before - NOISE_DB:
            said.append(f"{at}: {row['psnr_db']:.2f} dB, {before:.2f} at a lower quality")
        before = row["psnr_db"]
    return said


def table(figures: Figures) -> str:
    """Markdown: for each kind and quality, mean bytes relative to lossless WebP, and mean PSNR."""
    kinds: dict[str, list[Figures]] = defaultdict(list)
    for found in figures["pictures"]:
        kinds[found["kind"]].append(found)
    qualities = [row["quality"] for row in figures["pictures"][0]["rows"]]
    rows = [
        [kind.replace("_", " "), *(_cell(group, i) for i in range(len(qualities)))]
        for kind, group in kinds.items()
    ]
    return study.markdown(["kind", *(f"quality {q}" for q in qualities)], rows)


def _cell(group: Sequence[Figures], i: int) -> str:
    share = np.mean([f["rows"][i]["bytes"] / f["webp_bytes"] for f in group])
    decibels = [f["rows"][i]["psnr_db"] for f in group]
    is_exact = all(value == EQUAL_DB for value in decibels)
    return f"{share:.2f}, " + ("exact" if is_exact else f"{np.mean(decibels):.1f} dB")


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument(
        "--count", type=int, default=3 * len(odd.KINDS), help="pictures (default: three of a kind)"
    )
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT)
    args = parser.parse_args(argv)
    figures: Figures = {
        "conditions": study.conditions(), "seed": SEED, "side": SIDE, "effort": args.effort,
        "pictures": [measure(*named, args.effort) for named in odd.draw(args.count, SEED, SIDE)],
    }  # fmt: skip
    study.write(args.json, figures)
    print(table(figures))
    broken = [line for found in figures["pictures"] for line in faults(found)]
    print("\n".join([*broken, f"{args.count} pictures, {len(broken)} broken promises"]))
    return 1 if broken else 0


if __name__ == "__main__":
    study.run(main)

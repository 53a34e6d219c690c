"""Odd pictures, coded: bytes and PSNR beside lossless WebP and JPEG 4:4:4 of the same bytes.

python -m nacre.tools.odd_pictures --json docs/results/odd.json --table
"""

from __future__ import annotations

import argparse
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nacre import codec
from nacre.codec.encoder import DEFAULT_EFFORT
from nacre.datasets import odd
from nacre.datasets.pictures import Pixels
from nacre.tools.evaluate.metrics import EQUAL_DB, psnr_db

QUALITIES = (30, 60, 90, 100)
SEED = 2026  # another one than that of training
SIDE = 256
JPEG_QUALITIES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 100)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def jpeg_curve(pixels: Pixels) -> list[tuple[int, float]]:
    """Bytes and PSNR of JPEG 4:4:4, upwards."""
    image, found = Image.fromarray(pixels), []
    for quality in JPEG_QUALITIES:
        data = saved(image, "JPEG", quality=quality, subsampling=0)
        found.append((len(data), psnr_db(np.asarray(Image.open(io.BytesIO(data))), pixels)))
    return found


def jpeg_db(curve: Sequence[tuple[int, float]], size: int) -> float | None:
    """What JPEG reaches with so many bytes; None where it has no file so small."""
    sizes, decibels = (np.array(column, float) for column in zip(*curve, strict=True))
    if size < sizes[0]:
        return None
    return float(np.interp(np.log(size), np.log(sizes), np.maximum.accumulate(decibels)))


def measure(name: str, pixels: Pixels, effort: int) -> dict[str, Any]:
    """One picture at all qualities."""
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


def faults(found: dict[str, Any]) -> list[str]:
    """What a picture breaks of what is promised of all."""
    said, before = [], 0.0
    for row in found["rows"]:
        at = f"{found['kind']} at {row['quality']}"
        if row["bytes"] > found["webp_bytes"] + 64:
            said.append(f"{at}: {row['bytes']} bytes, lossless WebP {found['webp_bytes']}")
        if row["jpeg_db"] is not None and row["psnr_db"] < min(row["jpeg_db"], 60) - 0.5:
            said.append(f"{at}: {row['psnr_db']:.2f} dB, JPEG {row['jpeg_db']:.2f}")
        if row["psnr_db"] < before - 0.1:
            said.append(f"{at}: {row['psnr_db']:.2f} dB, {before:.2f} at a lower quality")
        before = row["psnr_db"]
    return said


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: for each kind and quality, mean bytes over those of lossless WebP, and mean PSNR."""
    lines = [
        "| kind | " + " | ".join(f"quality {q}" for q in QUALITIES) + " |",
        "|---" * (len(QUALITIES) + 1) + "|",
    ]
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for found in results:
        kinds[found["kind"]].append(found)
    for kind, group in kinds.items():
        cells = []
        for i in range(len(QUALITIES)):
            share = np.mean([f["rows"][i]["bytes"] / f["webp_bytes"] for f in group])
            decibels = np.mean([f["rows"][i]["psnr_db"] for f in group])
            is_exact = all(f["rows"][i]["psnr_db"] == EQUAL_DB for f in group)
            cells.append(f"{share:.2f}, " + ("exact" if is_exact else f"{decibels:.1f} dB"))
        lines.append(f"| {kind.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=3 * len(odd.KINDS))
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", action="store_true", help="print Markdown")
    args = parser.parse_args(argv)
    results, broken = [], []
    for name, pixels in odd.draw(args.count, SEED, SIDE):
        results.append(measure(name, pixels, args.effort))
        broken += faults(results[-1])
        for line in faults(results[-1]):
            print(line, flush=True)
    if args.json:
        described = {"seed": SEED, "side": SIDE, "effort": args.effort, "pictures": results}
        args.json.write_text(json.dumps(described, indent=1) + "\n")
    if args.table:
        print(table(results))
    print(f"{len(results)} pictures, {len(broken)} broken promises")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())

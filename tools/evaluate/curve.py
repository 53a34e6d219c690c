"""The curve of a model on a folder of pictures: files are written, read again and measured.

python -m nacre.tools.evaluate.curve PICTURES --json ours.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre import codec
from nacre.models.zoo import DEFAULT, load_model
from nacre.tools.evaluate.bdrate import Curve, bd_rate, read_curve

QUALITIES = (1, 10, 20, 30, 40, 50, 58, 66)  # 0.1 to 1.5 bpp on Kodak
ANCHORS = sorted((Path(__file__).parents[1] / "anchors" / "kodak").glob("*.json"))
LEVELS = 255.0


@dataclass(frozen=True)
class Measured:
    """One picture at one quality."""

    picture: str
    quality: int
    bpp: float  # every byte of the file counts
    psnr_db: float  # over R, G and B together
    encode_seconds: float
    decode_seconds: float


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Of two uint8 arrays of one shape; 99 when they are equal."""
    mse = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 10 * float(np.log10(LEVELS**2 / mse)) if mse else 99.0


def measure(path: Path, quality: int, model: str | Path) -> Measured:
    """Encode a picture, decode the bytes, compare."""
    image = Image.open(path).convert("RGB")
    start = time.perf_counter()
    data = codec.encode(image, quality=quality, model=model, strip=True)
    encoded = time.perf_counter()
    decoded = codec.decode(data, model=model if Path(model).suffix else None)
    done = time.perf_counter()
    bpp = 8 * len(data) / (image.width * image.height)
    error = psnr_db(np.asarray(image), np.asarray(decoded))
    return Measured(path.name, quality, bpp, error, encoded - start, done - encoded)


def means(rows: Sequence[Measured], name: str) -> Curve:
    """Mean rate and mean PSNR over the pictures, at each quality."""
    qualities = sorted({row.quality for row in rows})
    groups = [[row for row in rows if row.quality == quality] for quality in qualities]
    return Curve.of(
        name,
        [float(np.mean([row.bpp for row in group])) for group in groups],
        [float(np.mean([row.psnr_db for row in group])) for group in groups],
    )


def markdown(curve: Curve, qualities: Sequence[int], anchors: Sequence[Curve]) -> str:
    """The tables of the README."""
    cells = zip(qualities, curve.bpp, curve.psnr_db, strict=True)
    points = [f"| {quality} | {bpp:.3f} | {psnr:.2f} |" for quality, bpp, psnr in cells]
    rates = []
    for anchor in anchors:
        percent, (low, high) = bd_rate(anchor, curve)
        rates.append(f"| {anchor.name} | {percent:+.1f} % | {low:.1f} to {high:.1f} |")
    head = ["| quality | bits per pixel | PSNR, dB |", "|---|---|---|"]
    head_rates = ["", "| against | BD-rate | over, dB |", "|---|---|---|"]
    return "\n".join([*head, *points, *head_rates, *rates])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    parser.add_argument(
        "--anchor",
        type=Path,
        nargs="+",
        default=ANCHORS,
        help="published curves (default: those on Kodak)",
    )
    parser.add_argument("--json", type=Path, help="write points and rows here")
    args = parser.parse_args(argv)
    paths = sorted(
        p for p in args.pictures.iterdir() if p.suffix.lower() in (".png", ".bmp", ".ppm", ".tif")
    )
    rows = []
    for path in paths:
        rows += [measure(path, quality, args.model) for quality in args.qualities]
        print(path.name, file=sys.stderr)
    curve = means(rows, f"nacre {load_model(args.model).id.hex()}")
    print(markdown(curve, sorted(args.qualities), [read_curve(path) for path in args.anchor]))
    if args.json is not None:
        result = {
            "codec": curve.name, "bpp": curve.bpp.tolist(), "psnr_db": curve.psnr_db.tolist(),
            "rows": [asdict(row) for row in rows],
        }  # fmt: skip
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

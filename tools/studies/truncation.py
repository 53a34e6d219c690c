"""What cutting a file costs: its PSNR against that of a file encoded at the size that is left.

python -m nacre.tools.truncation PICTURES [--qualities 30 60 90]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre import codec
from nacre.codec import tiles
from nacre.entropy.errors import NacreError
from nacre.tools.evaluate.metrics import psnr_db

SHARES = (0.25, 0.5, 0.75, 0.9)  # of the bytes that are kept
ENCODED = (1, 10, 20, 30, 40, 50, 60, 75, 90)  # qualities whose curve is the yardstick


def cut(data: bytes, share: float, original: NDArray[np.uint8]) -> tuple[int, float] | None:
    """Bytes that are left and PSNR of what they decode to; None before the end of the first layer."""
    left = data[: round(share * len(data))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", codec.CutFileWarning)
        try:
            decoded = codec.decode(left)
        except NacreError:
            return None
    return len(left), psnr_db(original, np.asarray(decoded))


def rows(image: Image.Image, qualities: Sequence[int]) -> Iterator[tuple[int, float, float, float]]:
    """Quality, share, PSNR of the cut file, PSNR of one encoded at its size."""
    original = np.asarray(image)
    curve = [codec.encode(image, quality=q, strip=True) for q in ENCODED]
    sizes = [len(data) for data in curve]
    psnrs = [psnr_db(original, np.asarray(codec.decode(data))) for data in curve]
    for quality in qualities:
        data = codec.encode(image, quality=quality, strip=True)
        for share in SHARES:
            found = cut(data, share, original)
            if found and found[0] >= sizes[0]:
                encoded = float(np.interp(np.log(found[0]), np.log(sizes), psnrs))
                yield quality, share, found[1], encoded


def layer_cost(image: Image.Image, quality: int) -> float:
    """Share of bytes by which layers in chunks of their own make a file larger."""
    apart = len(codec.encode(image, quality=quality, strip=True))
    smallest = tiles.SMALLEST_PART_BYTES
    try:
        tiles.SMALLEST_PART_BYTES = 1 << 40
        together = len(codec.encode(image, quality=quality, strip=True))
    finally:
        tiles.SMALLEST_PART_BYTES = smallest
    return apart / together - 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--qualities", type=int, nargs="+", default=[30, 60, 90])
    args = parser.parse_args(argv)
    images = [Image.open(path).convert("RGB") for path in sorted(args.pictures.glob("*.png"))]
    found = [row for image in images for row in rows(image, args.qualities)]
    print(
        "| quality | bytes kept | PSNR of the cut file, dB | encoded at that size, dB | pictures |"
    )
    print("|---|---|---|---|---|")
    for quality in args.qualities:
        for share in SHARES:
            own = [row[2:] for row in found if row[:2] == (quality, share)]
            if own:
                mean = np.mean(own, 0)
                print(f"| {quality} | {share:.0%} | {mean[0]:.2f} | {mean[1]:.2f} | {len(own)} |")
    for quality in args.qualities:
        cost = np.mean([layer_cost(image, quality) for image in images])
        print(f"layers apart cost {cost:.2%} at quality {quality}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

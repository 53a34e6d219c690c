"""Compare the PSNR of a cut file with the PSNR of a file encoded at the remaining size: docs/large.md.

    python -m nacre.tools.studies.truncation PICTURES --json FILE [--qualities 30 60 90]

PICTURES are files or folders. The study also measures the cost in bytes of separate chunks for the layers.
"""

from __future__ import annotations

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
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

SHARES = (0.25, 0.5, 0.75, 0.9)  # of the bytes, which are kept
CURVE = (1, 10, 20, 30, 40, 50, 60, 75, 90)  # qualities of the curve that cut files are compared to


def cut(data: bytes, share: float, original: NDArray[np.uint8]) -> tuple[int, float] | None:
    """Size and PSNR of a file cut to `share`; None where the first layer is not complete."""
    left = data[: round(share * len(data))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", codec.CutFileWarning)
        try:
            decoded = codec.decode(left)
        except NacreError:
            return None
    return len(left), psnr_db(original, np.asarray(decoded))


def cuts(image: Image.Image, qualities: Sequence[int]) -> Iterator[tuple[int, float, float, float]]:
    """Yield quality, share, PSNR of the cut file, and PSNR of a file encoded at the size of the cut file.

    Sizes below the size of quality 1 are left out.
    """
    original = np.asarray(image)
    curve = [codec.encode(image, quality=q, strip=True) for q in CURVE]
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
    """The relative growth of a file when each layer has chunks of its own."""
    apart = len(codec.encode(image, quality=quality, strip=True))
    smallest = tiles.SMALLEST_PART_BYTES
    try:
        tiles.SMALLEST_PART_BYTES = 1 << 40
        together = len(codec.encode(image, quality=quality, strip=True))
    finally:
        tiles.SMALLEST_PART_BYTES = smallest
    return apart / together - 1


def measure(images: Sequence[Image.Image], qualities: Sequence[int]) -> Figures:
    """Means over pictures, by quality and share, and the cost of layers by quality."""
    found = [row for image in images for row in cuts(image, qualities)]
    means = []
    for quality in qualities:
        for share in SHARES:
            own = [row[2:] for row in found if row[:2] == (quality, share)]
            if own:
                cut_db, encoded_db = np.mean(own, 0).tolist()
                means.append(
                    {
                        "quality": quality, "share": share, "cut_psnr_db": cut_db,
                        "encoded_psnr_db": encoded_db, "pictures": len(own),
                    }
                )  # fmt: skip
    costs = [
        {
            "quality": quality,
            "share": float(np.mean([layer_cost(image, quality) for image in images])),
        }
        for quality in qualities
    ]
    return {"cuts": means, "layer_costs": costs}


def table(figures: Figures) -> str:
    """Markdown: one row for each quality and share."""
    head = ["quality", "bytes kept", "PSNR of the cut file, dB", "encoded at that size, dB"]
    rows = [
        [
            str(row["quality"]),
            f"{row['share']:.0%}",
            f"{row['cut_psnr_db']:.2f}",
            f"{row['encoded_psnr_db']:.2f}",
            str(row["pictures"]),
        ]
        for row in figures["cuts"]
    ]
    return study.markdown([*head, "pictures"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURES")
    parser.add_argument("--qualities", type=int, nargs="+", default=[30, 60, 90])
    args = parser.parse_args(argv)
    images = [study.open_rgb(path) for path in study.picture_files(args.pictures)]
    figures = {"conditions": study.conditions(), **measure(images, args.qualities)}
    study.write(args.json, figures)
    print(table(figures))
    for cost in figures["layer_costs"]:
        print(f"layers in chunks of their own: {cost['share']:+.2%} at quality {cost['quality']}")
    return 0


if __name__ == "__main__":
    study.run(main)

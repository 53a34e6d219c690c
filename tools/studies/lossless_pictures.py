"""Pictures of all modes without loss: whether every sample comes back, and bytes beside PNG, WebP, JPEG XL.

python -m nacre.tools.lossless_pictures [PHOTOS] --json docs/results/lossless.json --table
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nacre import codec
from nacre.codec.pictures.colour import to_picture
from nacre.codec.pictures.formats import file_bytes
from nacre.datasets import odd
from nacre.tools.odd_pictures import SEED, saved
from nacre.tools.screens import PHOTO

SIDE = 256


def pictures(photos: Sequence[Path]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and samples (H, W, C): photographs in all depths and channels, and odd pictures."""
    whole = [np.asarray(Image.open(path).convert("RGB")) for path in photos]
    for i, pixels in enumerate(whole[:9]):
        yield f"photograph {i + 1}", pixels
    first = whole[0]
    grey = np.asarray(Image.fromarray(first).convert("L"))[..., None]
    ramp = np.broadcast_to(np.arange(first.shape[1]) % 256, first.shape[:2])[..., None].astype(
        np.uint8
    )
    rng = np.random.default_rng(SEED)
    deep = first.astype(np.uint16) * 257 + rng.integers(0, 64, first.shape, np.uint16)
    yield "grey", grey
    yield "grey, transparent", np.dstack([grey, ramp])
    yield "colour, transparent", np.dstack([first, ramp])
    yield "grey, 16 bits", deep[..., :1]
    yield "grey, 16 bits of 8", grey.astype(np.uint16) * 257
    yield "colour, 16 bits", deep
    yield "colour, 16 bits, transparent", np.dstack([deep, ramp.astype(np.uint16) * 257])
    for name, pixels in odd.draw(len(odd.KINDS), SEED, SIDE)[: 30 - 7 - min(9, len(whole))]:
        yield name.replace("_", " "), pixels


def measure(pixels: NDArray[Any]) -> dict[str, Any]:
    """Whether the samples come back, and bytes."""
    data = codec.encode(pixels, lossless=True)
    shown = codec.Opened(data).picture()
    planes = [shown.pixels] + ([] if shown.alpha is None else [shown.alpha[..., None]])
    found: dict[str, Any] = {
        "is_equal": bool(np.array_equal(np.concatenate(planes, 2), pixels)), "nacre": len(data),
    }  # fmt: skip
    found["PNG"] = len(file_bytes(to_picture(pixels), "PNG"))
    if pixels.dtype == np.uint8:
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        found["WEBP"] = len(saved(image, "WEBP", lossless=True, exact=True))
        try:
            import pillow_jxl  # noqa: F401
        except ImportError:
            return found
        found["JXL"] = len(saved(image, "JXL", lossless=True))
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown."""
    coders = ("nacre", "WEBP", "JXL", "PNG")
    lines = ["| picture | equal | " + " | ".join(coders) + " |", "|---" * 6 + "|"]
    for name, found in results.items():
        sizes = " | ".join(str(found.get(coder, "")) for coder in coders)
        lines.append(f"| {name} | {'yes' if found['is_equal'] else 'NO'} | {sizes} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "photos", type=Path, nargs="?", help="a folder (the demonstration's if none)"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", action="store_true", help="print Markdown")
    args = parser.parse_args(argv)
    photos = sorted(args.photos.iterdir()) if args.photos else [PHOTO]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PNG of 16 bits is written by another way
        results = {name: measure(pixels) for name, pixels in pictures(photos)}
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")
    if args.table:
        print(table(results))
    equal = sum(found["is_equal"] for found in results.values())
    print(f"{equal} of {len(results)} pictures come back as they were")
    return 0 if equal == len(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())

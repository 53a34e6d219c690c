"""Code pictures of all modes without loss and compare their bytes with PNG, WebP and JPEG XL: docs/odd.md.

    python -m nacre.tools.studies.lossless_pictures [PHOTOS] --json docs/results/lossless.json

PHOTOS are files or folders (default: the demonstration photograph). Exit code 1 says that a sample was lost.
"""

from __future__ import annotations

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
from nacre.tools.studies import study
from nacre.tools.studies.odd_pictures import SEED, SIDE, saved
from nacre.tools.studies.study import PHOTO, Figures

PHOTOGRAPHS, PICTURES = 9, 30  # at most
MODES = 7  # pictures made of the first photograph


def pictures(photos: Sequence[Path]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield name and samples (H, W, C): photographs, one of them in all modes, and odd pictures."""
    whole = [np.asarray(Image.open(path).convert("RGB")) for path in photos]
    for i, pixels in enumerate(whole[:PHOTOGRAPHS]):
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
    left = PICTURES - MODES - min(PHOTOGRAPHS, len(whole))
    for name, pixels in odd.draw(len(odd.KINDS), SEED, SIDE)[:left]:
        yield name.replace("_", " "), pixels


def measure(pixels: NDArray[Any]) -> Figures:
    """Compare the decoded samples; measure the bytes of every format that supports the mode."""
    data = codec.encode(pixels, lossless=True)
    shown = codec.Opened(data).picture()
    planes = [shown.pixels] + ([] if shown.alpha is None else [shown.alpha[..., None]])
    found: Figures = {
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


def table(figures: Figures) -> str:
    """Markdown: one row for each picture."""
    formats = ("nacre", "WEBP", "JXL", "PNG")
    rows = [
        [
            name,
            "yes" if found["is_equal"] else "NO",
            *(str(found.get(format, "")) for format in formats),
        ]
        for name, found in figures["pictures"].items()
    ]
    return study.markdown(["picture", "equal", *formats], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("photos", type=Path, nargs="*", default=[PHOTO], metavar="PHOTOS")
    args = parser.parse_args(argv)
    photos = study.picture_files(args.photos)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 16-bit PNG is written without Pillow, with a warning
        found = {name: measure(pixels) for name, pixels in pictures(photos)}
    figures: Figures = {"conditions": study.conditions(), "pictures": found}
    study.write(args.json, figures)
    print(table(figures))
    equal = sum(picture["is_equal"] for picture in found.values())
    print(f"{equal} of {len(found)} pictures are equal after decoding")
    return 0 if equal == len(found) else 1


if __name__ == "__main__":
    study.run(main)

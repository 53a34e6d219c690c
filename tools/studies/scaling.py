"""Measure seconds and memory over the size of a picture: the first table of docs/large.md.

    python -m nacre.tools.studies.scaling --json FILE [--megapixels 1 4 16 64 100] [--effort 0]

The picture is the demonstration photograph, tiled by mirroring with a little noise, as an array on disk.
Encoding and decoding are whole `nacre` processes, array to file to array; their memory includes the pages of
the mapped array. The region of 800x600 pixels begins in the middle.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from PIL import Image

from nacre.entropy.errors import NacreError
from nacre.tools.evaluate.codecs.programs import run_program
from nacre.tools.studies import study
from nacre.tools.studies.study import PHOTO, Figures

NOISE = 2  # levels up or down, so that no two copies are equal
REGION = (800, 600)  # pixels
ROWS = 256  # written at once
TIME_LIMIT_SECONDS = 3600


def picture(path: Path, side: int) -> None:
    """Write a square of `side` pixels as uint8 (side, side, 3)."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB")).astype(np.int16)
    both = np.concatenate([photo, photo[::-1]])
    block = np.concatenate([both, both[:, ::-1]], 1)
    rng = np.random.default_rng(0)
    out = open_memmap(path, "w+", np.uint8, (side, side, 3))
    columns = np.arange(side) % block.shape[1]
    for top in range(0, side, ROWS):
        rows = np.arange(top, min(top + ROWS, side)) % block.shape[0]
        part = block[rows][:, columns]
        noise = rng.integers(-NOISE, NOISE + 1, part.shape, np.int16)
        out[top : top + len(rows)] = (part + noise).clip(0, 255)


def run_nacre(*arguments: str) -> tuple[float, float | None, str]:
    """Seconds, peak MiB (None on Windows) and last line of output of a `nacre` process."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nacre", *arguments]
        ended = run_program(command, Path(folder), TIME_LIMIT_SECONDS)
    if ended.code:
        raise NacreError(f"nacre {arguments[0]}: {ended.last_line}")
    return time.perf_counter() - start, ended.peak_memory_mib, ended.last_line


def measure(megapixels: float, quality: int, effort: int) -> Figures:
    """Encode, decode, and decode a region of a square picture of `megapixels`."""
    side = round((megapixels * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        source, coded, back = (str(Path(folder) / n) for n in ("in.npy", "a.ncr", "out.npy"))
        picture(Path(source), side)
        options = ["-q", str(quality), "--effort", str(effort)]
        encode = run_nacre("encode", source, "-o", coded, *options)
        decode = run_nacre("decode", coded, "-o", back)
        start, width, height = side // 2, *(min(extent, side // 2) for extent in REGION)
        corner = f"{start},{start},{width},{height}"
        region = run_nacre("decode", coded, "-o", back, "-f", "-v", "--region", corner)
        size = Path(coded).stat().st_size
    read = re.search(r"(\d+) of \d+ bytes read", region[2])
    if read is None:
        raise NacreError(f"nacre decode --region: no number of bytes in {region[2]!r}")
    return {
        "megapixels": megapixels,
        "file_bytes": size,
        "encode_seconds": encode[0],
        "encode_mib": encode[1],
        "decode_seconds": decode[0],
        "decode_mib": decode[1],
        "region_seconds": region[0],
        "region_bytes_read": int(read[1]),
    }


def table(figures: Figures) -> str:
    """Markdown: one row for each size."""
    head = ["megapixels", "file, MB", "encode, s", "MiB", "decode, s", "MiB", "region, s"]
    rows = [
        [
            f"{row['megapixels']:g}",
            f"{row['file_bytes'] / 1e6:.2f}",
            f"{row['encode_seconds']:.1f}",
            _mib(row["encode_mib"]),
            f"{row['decode_seconds']:.1f}",
            _mib(row["decode_mib"]),
            f"{row['region_seconds']:.1f}",
            f"{row['region_bytes_read'] / row['file_bytes']:.0%}",
        ]
        for row in figures["sizes"]
    ]
    return study.markdown([*head, "bytes read for it"], rows)


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 16, 64, 100])
    parser.add_argument("--quality", type=int, default=60, help="(default: 60)")
    parser.add_argument("--effort", type=int, default=1, help="(default: 1)")
    args = parser.parse_args(argv)
    figures: Figures = {
        "conditions": study.conditions(), "quality": args.quality, "effort": args.effort,
        "sizes": [],
    }  # fmt: skip
    for megapixels in args.megapixels:
        figures["sizes"].append(measure(megapixels, args.quality, args.effort))
        study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

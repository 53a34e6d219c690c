"""Seconds and memory over the size of a picture: what docs/large.md has as a table.

python -m nacre.tools.scaling [--megapixels 1 4 16 64 100] [--effort 1]

The picture is the demo photograph, mirrored over and over with a little noise, as an array on disk.
Encoding and decoding are whole `nacre` processes, array to file to array, so memory that maps the array
counts; a region of 800x600 comes from the middle.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from PIL import Image

PHOTO = Path(__file__).parent / "demo" / "beacon-street.png"
NOISE = 2  # levels either way, so that no two copies are the same
REGION = (800, 600)


def picture(path: Path, side: int) -> None:
    """A square of that side in pixels, written in rows."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB")).astype(np.int16)
    both = np.concatenate([photo, photo[::-1]])
    block = np.concatenate([both, both[:, ::-1]], 1)
    rng = np.random.default_rng(0)
    out = open_memmap(path, "w+", np.uint8, (side, side, 3))
    columns = np.arange(side) % block.shape[1]
    for top in range(0, side, 256):
        rows = np.arange(top, min(top + 256, side)) % block.shape[0]
        part = block[rows][:, columns]
        out[top : top + len(rows)] = (
            part + rng.integers(-NOISE, NOISE + 1, part.shape, np.int16)
        ).clip(0, 255)


def measured(arguments: Sequence[str]) -> tuple[float, float, str]:
    """Seconds, largest resident MiB and the last line said of a `nacre` process."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "nacre", *arguments], stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        lines = said.read().splitlines()
    if process.returncode:
        raise RuntimeError("\n".join(lines))
    return seconds, usage.ru_maxrss / 1024, lines[-1] if lines else ""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 4, 16, 64, 100])
    parser.add_argument("--quality", default="60")
    parser.add_argument("--effort", default="1")
    args = parser.parse_args(argv)
    print("| megapixels | file, MB | encode, s | MiB | decode, s | MiB | region, s | of it read |")
    print("|---|---|---|---|---|---|---|---|")
    for megapixels in args.megapixels:
        side = round((megapixels * 1e6) ** 0.5)
        with tempfile.TemporaryDirectory() as folder:
            source, coded, back = (str(Path(folder) / n) for n in ("in.npy", "a.ncr", "out.npy"))
            picture(Path(source), side)
            options = ["-q", args.quality, "--effort", args.effort]
            encode = measured(["encode", source, "-o", coded, *options])
            decode = measured(["decode", coded, "-o", back])
            corner = (
                f"{side // 2},{side // 2},{min(REGION[0], side // 2)},{min(REGION[1], side // 2)}"
            )
            region = measured(["decode", coded, "-o", back, "-f", "-v", "--region", corner])
            size = Path(coded).stat().st_size
        read = int(region[2].split(" bytes read")[0].split(" of ")[0].split()[-1])
        print(
            f"| {megapixels:g} | {size / 1e6:.2f} | {encode[0]:.1f} | {encode[1]:.0f} | {decode[0]:.1f} | "
            f"{decode[1]:.0f} | {region[0]:.1f} | {read / size:.0%} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

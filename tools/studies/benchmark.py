"""Seconds and memory of coding, stage by stage: what the README's figures come from.

python -m nacre.tools.benchmark PICTURE [--side 768 512] [--precision bfloat16]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image

from nacre import codec
from nacre.entropy.clock import measured

REPEATS = 5
WARMING = 20  # decodes after which a process has all that it keeps
MIB = 1 << 20


def medians(work: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of the whole, and of entropy coding in it."""
    work()
    whole, part = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with measured() as clock:
            work()
        whole.append(time.perf_counter() - start)
        part.append(clock.seconds)
    return statistics.median(whole), statistics.median(part)


def peak_mib() -> float:
    """Largest resident size of this process so far."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / MIB if sys.platform == "darwin" else size / 1024


def growth_mib(data: bytes, decodes: int) -> float:
    """Resident size after many decodes less that after a few (Linux)."""

    def resident_mib() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / MIB

    for _ in range(WARMING):
        codec.decode(data)
    before = resident_mib()
    for _ in range(decodes):
        codec.decode(data)
    return resident_mib() - before


def cold_decode_seconds(data: bytes) -> float:
    """Median of whole `nacre decode` processes."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.ncr", Path(folder) / "a.png"
        source.write_bytes(data)
        times = []
        for _ in range(4):
            start = time.perf_counter()
            command = [
                sys.executable,
                "-m",
                "nacre",
                "decode",
                str(source),
                "-o",
                str(target),
                "--force",
            ]
            subprocess.run(command, check=True)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument(
        "--side", type=int, nargs=2, help="width and height to scale the picture to"
    )
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--quality", type=int, default=60)
    parser.add_argument(
        "--decodes", type=int, help="decode that often and tell by how much the process grew"
    )
    args = parser.parse_args(argv)
    image = Image.open(args.picture).convert("RGB")
    if args.side:
        image = image.resize(tuple(args.side))
    base = peak_mib()
    data = codec.encode(image, quality=args.quality, precision=args.precision)
    cpu = platform.processor() or platform.machine()
    print(
        f"{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    print(
        f"{image.width}x{image.height}, quality {args.quality}, {args.precision}, {len(data):,} bytes"
    )
    options = {"quality": args.quality, "precision": args.precision}
    for name, work in (
        ("encode", lambda: codec.encode(image, **options)),
        ("encode, effort 0", lambda: codec.encode(image, effort=0, **options)),
        ("decode", lambda: codec.decode(data, precision=args.precision)),
    ):
        whole, part = medians(work)
        print(f"{name}: {whole:.3f} s, of which entropy coding {part:.3f} s ({part / whole:.0%})")
    print(f"peak memory {peak_mib():.0f} MiB, of which {base:.0f} before coding")
    if args.decodes:
        print(f"{args.decodes} decodes: {growth_mib(data, args.decodes):+.1f} MiB")
    print(f"cold decode, process start included: {cold_decode_seconds(data):.2f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Measure seconds and memory of coding one picture, by stage: the speed table of the README.

    python -m nacre.tools.studies.benchmark PICTURE --json FILE [--side 768 512] [--precision bfloat16]

Seconds are medians of a warm process, except for `nacre decode`: whole processes, with their start.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from nacre import codec
from nacre.entropy.clock import measured
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.memory import PROC, PeakMemory
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

REPEATS = 5
PROCESSES = 4  # the first is not counted: it reads the files from disk
WARMING = 20  # decodes after which a process has filled its caches


def medians(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of the work, and of entropy coding in it."""
    work()
    whole, part = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        with measured() as clock:
            work()
        whole.append(time.perf_counter() - start)
        part.append(clock.seconds)
    return statistics.median(whole), statistics.median(part)


def growth_mib(data: bytes, decodes: int) -> float:
    """Growth of the resident size over `decodes` decodes, in MiB. Raises UsageError without Linux's /proc."""

    def resident_mib() -> float:
        try:
            text = (PROC / "self" / "status").read_text()
        except OSError:
            raise UsageError("--decodes: the memory of a process is read from /proc") from None
        return next(
            int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS:")
        )

    resident_mib()
    for _ in range(WARMING):
        codec.decode(data)
    before = resident_mib()
    for _ in range(decodes):
        codec.decode(data)
    return resident_mib() - before


def cold_decode_seconds(data: bytes) -> float:
    """Median seconds of whole `nacre decode` processes."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.ncr", Path(folder) / "a.png"
        source.write_bytes(data)
        command = [sys.executable, "-m", "nacre", "decode", str(source), "-o", str(target), "-f"]
        for _ in range(PROCESSES):
            start = time.perf_counter()
            subprocess.run(command, check=True)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure(image: Image.Image, quality: int, precision: str, repeats: int = REPEATS) -> Figures:
    """Sizes, seconds by stage and peak memory of this process; memory is None where it cannot be measured."""
    memory = PeakMemory()
    base = memory.mib()
    data = codec.encode(image, quality=quality, precision=precision)
    works: dict[str, Callable[[], object]] = {
        "encode": lambda: codec.encode(image, quality=quality, precision=precision),
        "encode, effort 0": lambda: codec.encode(
            image, effort=0, quality=quality, precision=precision
        ),
        "decode": lambda: codec.decode(data, precision=precision),
    }
    stages = []
    for name, work in works.items():
        seconds, entropy = medians(work, repeats)
        stages.append({"name": name, "seconds": seconds, "entropy_seconds": entropy})
    return {
        "width": image.width,
        "height": image.height,
        "quality": quality,
        "precision": precision,
        "file_bytes": len(data),
        "stages": stages,
        "base_memory_mib": base,
        "peak_memory_mib": memory.mib(),
        "cold_decode_seconds": cold_decode_seconds(data),
    }


def table(figures: Figures) -> str:
    """Markdown: seconds of each stage, and the share of entropy coding."""
    rows = [
        [
            stage["name"],
            _seconds(stage["seconds"]),
            f"{stage['entropy_seconds'] / stage['seconds'] * 100:.0f} %",
        ]
        for stage in figures["stages"]
    ]
    cold = _seconds(figures["cold_decode_seconds"])
    rows.append(["`nacre decode`, process start included", cold, ""])
    head = [f"{figures['width']}x{figures['height']}", "seconds", "of which entropy coding"]
    return study.markdown(head, rows)


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 1 else f"{value:.1f}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("picture", type=Path, metavar="PICTURE")
    parser.add_argument(
        "--side", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="resize the picture first"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--quality", type=int, default=60, help="(default: 60)")
    parser.add_argument(
        "--repeats", type=int, default=REPEATS, help=f"of each stage (default: {REPEATS})"
    )
    parser.add_argument(
        "--decodes", type=int, metavar="N", help="also measure the growth of memory over N decodes"
    )
    args = parser.parse_args(argv)
    figures = _figures(args)
    study.write(args.json, figures)
    print(table(figures))
    if figures["peak_memory_mib"] is None:
        print("peak memory: cannot be measured on this system")
    else:
        peak, base = figures["peak_memory_mib"], figures["base_memory_mib"]
        print(f"peak memory {peak:.0f} MiB, of which {base:.0f} before coding")
    if args.decodes:
        print(f"growth over {args.decodes} decodes: {figures['growth_mib']:+.1f} MiB")
    return 0


def _figures(args: argparse.Namespace) -> Figures:
    image = study.open_rgb(args.picture)
    if args.side:
        image = image.resize(tuple(args.side))
    figures = measure(image, args.quality, args.precision, args.repeats)
    if args.decodes:
        data = codec.encode(image, quality=args.quality, precision=args.precision)
        figures |= {"decodes": args.decodes, "growth_mib": growth_mib(data, args.decodes)}
    return {"conditions": study.conditions(), "picture": args.picture.name, **figures}


if __name__ == "__main__":
    study.run(main)

"""Measure megapixels a second of codecs, one picture per core: the speed table of docs/latents.md.

    python -m nacre.tools.studies.throughput PICTURES --codec webp 60 --codec nacre:FILE 50 --json FILE

Codecs are those of `nacre bench`. Models of nacre have two more rows: the analysis alone (pixels in memory to
y), and files as `nacre pack` writes them (without cells that are coded without the latent).
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nacre.codec.encoder import Encoder
from nacre.codec.run import Run
from nacre.codec.strips import BlockAnalysis
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs import registry
from nacre.tools.evaluate.codecs.base import Codec
from nacre.tools.evaluate.codecs.nacre import Nacre
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

DEFAULT_CODECS = [("nacre@effort=0", "50"), ("jpeg", "75"), ("webp", "60"), ("avif", "60")]
ROUNDS = 5  # the fastest one counts
WAYS = ("analysis", "pack", "encode", "decode")
ALL_ROWS = 1 << 30


def _begin(paths: Sequence[Path]) -> None:
    """Prepare a process: one thread, pictures in memory."""
    torch.set_num_threads(1)
    _images.extend(study.open_rgb(path) for path in paths)


_images: list[Image.Image] = []  # of a process
_files: dict[tuple[str, float, int], bytes] = {}


@lru_cache
def _codec(name: str) -> Codec:
    return registry.create(name)


@lru_cache
def _run(model: str) -> Run:
    return Run.to_encode({"model": model})


def _do(way: str, name: str, quality: float, k: int) -> int:
    """Run one operation on picture k in this process; returns the bytes of its file."""
    image, codec = _images[k], _codec(name)
    if way == "decode":
        file = _files.get((name, quality, k)) or codec.encode(image, quality)
        _files[name, quality, k] = file
        codec.decode(file, image.size)
        return len(file)
    if way == "encode":
        return len(codec.encode(image, quality))
    assert isinstance(codec, Nacre)
    pixels = np.asarray(image)
    if way == "analysis":
        run = _run(codec.model)
        with torch.inference_mode():
            list(BlockAnalysis(run, pixels).bands(run.level(int(quality)), ALL_ROWS))
        return 0
    encoder = Encoder(pixels, strip=True, model=codec.model)
    encoder.is_adaptive = False
    return len(encoder.encode(int(quality), 0))


def _share(way: str, name: str, quality: float, own: Sequence[int]) -> list[int]:
    return [_do(way, name, quality, k) for k in own]


def measure(paths: Sequence[Path], codecs: Sequence[tuple[str, float]], jobs: int) -> Figures:
    """Megapixels a second of each codec and way, and bits per pixel."""
    sizes = [Image.open(path).size for path in paths]
    pixels = sum(width * height for width, height in sizes)
    rows = []
    # One pool for each process, so that a process gets the pictures whose files it has.
    spawn = multiprocessing.get_context("spawn")
    pools = [spawn.Pool(1, _begin, (paths,)) for _ in range(jobs)]
    shares = [range(j, len(paths), jobs) for j in range(jobs)]
    try:
        for name, quality in codecs:
            codec = registry.create(name)
            row: Figures = {"codec": name, "label": codec.label, "quality": quality}
            for way in WAYS if isinstance(codec, Nacre) else WAYS[2:]:
                taken = []
                for _ in range(ROUNDS + 1):  # the first round warms up
                    start = time.perf_counter()
                    waiting = [
                        pool.apply_async(_share, (way, name, quality, share))
                        for pool, share in zip(pools, shares, strict=True)
                    ]
                    size = sum(sum(result.get()) for result in waiting)
                    taken.append(time.perf_counter() - start)
                row[way] = pixels / 1e6 / min(taken[1:])
                row[f"{way}_median"] = pixels / 1e6 / sorted(taken[1:])[ROUNDS // 2]
                if way == "encode":
                    row["bpp"] = 8 * size / pixels
            rows.append(row)
            print(table({"rows": [row]}).splitlines()[-1], flush=True)
    finally:
        for pool in pools:
            pool.terminate()
    return {"pictures": len(paths), "megapixels": pixels / 1e6, "processes": jobs, "rows": rows}


def table(figures: Figures) -> str:
    """Markdown: megapixels a second."""
    head = ["codec", "quality", "bits per pixel", "analysis", "as packed", "encode", "decode"]
    rows = [
        [
            row["label"], f"{row['quality']:g}", f"{row['bpp']:.3f}",
            *(f"{row[way]:.3g}" if way in row else "" for way in WAYS),
        ]
        for row in figures["rows"]
    ]  # fmt: skip
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURES")
    parser.add_argument(
        "--codec", dest="codecs", nargs=2, action="append", metavar=("NAME", "QUALITY"),
        help="may be repeated (default: nacre at effort 0, JPEG, WebP and AVIF)",
    )  # fmt: skip
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    args = parser.parse_args(argv)
    if args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}: 1 or more wanted")
    try:
        codecs = [(name, float(quality)) for name, quality in args.codecs or DEFAULT_CODECS]
    except ValueError as error:
        raise UsageError(f"--codec: {error}") from None
    found = measure(study.picture_files(args.pictures), codecs, args.jobs)
    study.write(args.json, {"conditions": study.conditions(), **found})
    print(table(found))
    return 0


if __name__ == "__main__":
    study.run(main)

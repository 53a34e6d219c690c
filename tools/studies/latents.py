"""Measure the cost of reading latents against reading JPEG files of the same pictures: docs/latents.md.

    python -m nacre.tools.studies.latents [PHOTOS] --json docs/results/latents.json

PHOTOS are files or folders (default: the demonstration photograph). Pieces of them are stored as JPEG files and
packed as latents. Speeds are samples per second of processor time of one thread. --memory N reads N samples
from a data set of small pictures and records the growth of memory.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from PIL import Image

from nacre.datasets import LatentDataset, pack
from nacre.datasets.latents.index import read_index, write_index
from nacre.tools.studies import study
from nacre.tools.studies.study import PHOTO, Figures

SOURCE, SIDE = 500, 256  # pixels a side: of source pictures, of training pictures
PIECES = 32
JPEG_QUALITY, SOURCE_QUALITY = 75, 90
SECONDS = 3.0  # of processor time, for each way of reading
SMALL_SIDE, SMALL_PICTURES = 16, 64  # of the data set for memory
NOTED = 10  # number of memory readings


def pieces(photos: Sequence[Path]) -> list[Image.Image]:
    """PIECES squares of SOURCE pixels, from all photos in turn."""
    rng = np.random.default_rng(0)
    images = [study.open_rgb(path) for path in photos]
    found = []
    for k in range(PIECES):
        image = images[k % len(images)]
        side = min(SOURCE, *image.size)
        left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
        found.append(image.crop((left, top, left + side, top + side)).resize((SOURCE, SOURCE)))
    return found


def jpeg(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def speed(read: Callable[[int], object]) -> float:
    """Samples a second of processor time."""
    read(0)
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        read(count % PIECES)
        count += 1
    return count / spent


Ways = dict[str, tuple[float, Callable[[int], object]]]  # bytes of a sample, and how to read one


def compare(
    images: Sequence[Image.Image], models: Sequence[str], quality: int, folder: Path
) -> Figures:
    """Bytes and samples a second of each way to store and read the pictures."""

    def pixels(data: bytes, side: int | None = None) -> torch.Tensor:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image = image if side is None else image.resize((side, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)

    small = [image.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for image in images]
    large_files = [jpeg(image, SOURCE_QUALITY) for image in images]
    small_files = [jpeg(image, JPEG_QUALITY) for image in small]
    ways: Ways = {
        f"JPEG of {SOURCE} x {SOURCE}, decoded and resized": (
            sum(map(len, large_files)) / PIECES, lambda k: pixels(large_files[k], SIDE)
        ),
        f"JPEG of {SIDE} x {SIDE}, decoded": (
            sum(map(len, small_files)) / PIECES, lambda k: pixels(small_files[k])
        ),
    }  # fmt: skip
    for model in models:
        name = Path(model).stem
        found = of_model(small, model, quality, folder / name)
        ways |= {f"{name}: {way}": how for way, how in found.items()}
    return {name: {"bytes": size, "speed": speed(read)} for name, (size, read) in ways.items()}


def of_model(images: Sequence[Image.Image], model: str, quality: int, folder: Path) -> Ways:
    """The ways to read latents of one model."""
    packed = folder / "set"
    index = pack(
        ((str(k), image, k) for k, image in enumerate(images)), packed, model=model, quality=quality
    )
    weights = model if Path(model).suffix else None
    coded = sum(row.size for row in index.samples) / PIECES
    dtype = index.planes[index.plane].dtype
    ways: Ways = {
        "decoded to pixels": (coded, LatentDataset(packed, decode=True, model=weights).__getitem__),
        "latents, float32": (coded, LatentDataset(packed, model=weights).__getitem__),
        f"symbols, {dtype}": (coded, LatentDataset(packed, dtype=dtype, model=weights).__getitem__),
    }
    numbers = np.prod([row.latent for row in index.samples], 1).mean()
    for name in (dtype, "float32"):
        kept = LatentDataset(packed, dtype=name, cache=folder / "cache", model=weights)
        for k in range(PIECES):
            kept[k]
        size = float(numbers) * np.dtype(name).itemsize
        ways[f"{name} from the cache"] = size, kept.__getitem__
    return ways


def memory(images: Sequence[Image.Image], samples: int, folder: Path) -> Figures:
    """Resident MiB while a stream reads `samples` samples; the index repeats a few pictures."""
    tiny = [image.resize((SMALL_SIDE, SMALL_SIDE)) for image in images]
    small = [tiny[k % len(tiny)].rotate(90 * (k // len(tiny))) for k in range(SMALL_PICTURES)]
    index = pack(((str(k), image, None) for k, image in enumerate(small)), folder / "small")
    again = [
        msgspec.structs.replace(index.samples[k % SMALL_PICTURES], key=f"{k:06}")
        for k in range(samples)
    ]
    write_index(folder / "small", msgspec.structs.replace(index, samples=again))
    del again
    assert len(read_index(folder / "small").samples) == samples
    dtype = index.planes[index.plane].dtype
    dataset = LatentDataset(folder / "small", dtype=dtype)
    noted, seen, start = [], 0, time.process_time()
    for sample in dataset.iterable(shuffle="samples"):
        seen += 1
        if seen % max(1, samples // NOTED) == 0:
            noted.append(round(resident_mib(), 1))
            print(f"{seen} samples, last {sample.key}: {noted[-1]} MiB", flush=True)
    return {"samples": seen, "mib": noted, "seconds": time.process_time() - start}


def resident_mib() -> float:
    """Resident MiB of this process on Linux; 0 elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / (1 << 20)


def table(figures: Figures) -> str:
    """Markdown: bytes and samples a second of each way."""
    rows = [
        [name, f"{way['bytes']:,.0f}", f"{way['speed']:,.0f}" if way["speed"] >= 100 else f"{way['speed']:.1f}"]
        for name, way in figures["ways"].items()
    ]  # fmt: skip
    return study.markdown(["stored and read as", "bytes", "samples a second"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("photos", type=Path, nargs="*", default=[PHOTO], metavar="PHOTOS")
    parser.add_argument(
        "-q", "--quality", type=int, default=60, help="of the latents (default: 60)"
    )
    parser.add_argument(
        "--models", nargs="+", default=["nacre"], metavar="M", help="names or weights files"
    )
    parser.add_argument("--memory", type=int, metavar="N", help="samples to read for memory")
    args = parser.parse_args(argv)
    images = pieces(study.picture_files(args.photos))
    torch.set_num_threads(1)
    figures: Figures = {
        "conditions": study.conditions(),
        "quality": args.quality,
        "pictures": PIECES,
    }
    with tempfile.TemporaryDirectory() as folder:
        figures["ways"] = compare(images, args.models, args.quality, Path(folder))
        study.write(args.json, figures)
        print(table(figures))
        if args.memory:
            figures["memory"] = memory(images, args.memory, Path(folder))
            study.write(args.json, figures)
    return 0


if __name__ == "__main__":
    study.run(main)

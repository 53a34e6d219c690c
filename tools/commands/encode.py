"""Encode pictures into nacre files (.ncr).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
nacre encode photo.jpg --size 100kB --effort 6
nacre encode huge.npy -o huge.ncr      # uint8, mapped into memory and read as it is coded
"""

from __future__ import annotations

import io
import re
import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch
from nacre.tools.watch import watched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SUFFIX = ".ncr"
ROWS_SUFFIX = ".npy"  # uint8 (H, W, 3) or (H, W, 1), row by row


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "pictures")
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "-q", "--quality", type=int, metavar="1..100", help="100 is best (default: 60)"
    )
    goal.add_argument("--bpp", type=float, help="at most so many bits per pixel, each file")
    goal.add_argument("--size", metavar="100kB", help="at most so many bytes, each file")
    goal.add_argument("--psnr", type=float, metavar="DB", help="at least this PSNR, each file")
    goal.add_argument("--ssim", type=float, metavar="0..1", help="at least this SSIM, each file")
    parser.add_argument(
        "--effort", type=int, metavar="0..9", help="how long to search for fewer bits (default: 1)"
    )
    parser.add_argument(
        "--time-budget", metavar="30s", help="search for so long, each file; Ctrl-C ends it as well"
    )
    parser.add_argument(
        "--roi",
        metavar="MASK|X,Y,W,H",
        help="where it matters: a grey picture, white matters most, or a rectangle; the rest gets fewer bits",
    )
    parser.add_argument(
        "--model", default="nacre", help="a model's name, or the path of its weights file"
    )
    parser.add_argument("--strip", action="store_true", help="drop ICC profile, EXIF and XMP")
    batch.add_coding_arguments(parser)


def run(args: Namespace) -> int:
    from nacre.datasets.pictures import picture_suffixes

    if any(name.endswith(SUFFIX) for name in args.inputs):
        raise UsageError(f"a {SUFFIX} file is no picture to encode; an output is given with -o")
    jobs = batch.plan(args.inputs, args.output, picture_suffixes(), SUFFIX)
    from PIL import Image

    from nacre import codec
    from nacre.codec.container import read_head
    from nacre.models.zoo import load_model

    Image.MAX_IMAGE_PIXELS = args.max_pixels
    batch.prepare_torch(args)
    load_model(args.model)

    wanted = _wanted(args)
    seconds = None if args.time_budget is None else _seconds(args.time_budget)
    options = {
        "effort": args.effort, "time_budget": seconds, "model": args.model, "device": args.device,
        "precision": args.precision, "strip": args.strip, "limits": batch.limits(args),
    }  # fmt: skip

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        image = _picture(job.source)
        roi = None if args.roi is None else _roi(args.roi, image)
        with watched(args.quiet) as goes_on:
            if wanted:
                coded = codec.encode_to(image, **wanted, roi=roi, goes_on=goes_on, **options).data
            else:
                quality = 60 if args.quality is None else args.quality
                coded = codec.encode(image, quality=quality, roi=roi, goes_on=goes_on, **options)
            batch.write_output(job.target, coded, args.force)
        head = read_head(coded)
        bpp = 8 * len(coded) / (head.width * head.height)
        done = f"{job.source} -> {job.target}: {len(coded)} bytes, {bpp:.3f} bpp"
        return f"{done}, quality {head.quality}, {time.perf_counter() - start:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), encode, args)


UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
LEAST_WEIGHT = 1 / 16  # of errors where a mask is black


def _wanted(args: Namespace) -> dict[str, Any]:
    """What `encode_to` is to reach; empty for a quality."""
    found = {name: getattr(args, name) for name in ("bpp", "psnr", "ssim")}
    wanted = {name: value for name, value in found.items() if value is not None}
    if args.size is not None:
        parts = re.fullmatch(r"([0-9.]+) *([a-z]*)", args.size.lower())
        try:
            assert parts is not None
            wanted["size"] = float(parts[1]) * UNITS[parts[2]]
        except (AssertionError, KeyError, ValueError):
            raise UsageError(f"--size {args.size}: bytes, as in 50000, 100kB or 64KiB") from None
    return wanted


def _seconds(text: str) -> float:
    parts = re.fullmatch(r"([0-9.]+) *(s|m|min|)", text)
    try:
        assert parts is not None
        return float(parts[1]) * (60 if parts[2].startswith("m") else 1)
    except (AssertionError, ValueError):
        raise UsageError(
            f"--time-budget {text}: seconds, as in 30s, or minutes, as in 2m"
        ) from None


def _roi(text: str, image: Image.Image | NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much errors weigh at each pixel, from LEAST_WEIGHT to 1."""
    import numpy as np
    from PIL import Image

    width, height = image.size if isinstance(image, Image.Image) else image.shape[1::-1]
    mask = np.zeros((height, width), np.float32)
    if re.fullmatch(r"\d+(,\d+){3}", text):
        x, y, w, h = map(int, text.split(","))
        mask[y : y + h, x : x + w] = 1
        if not mask.any():
            raise UsageError(f"--roi {text}: no pixel of {width}x{height} is in it")
    else:
        grey = _picture(text)
        if not isinstance(grey, Image.Image):
            raise UsageError(f"--roi {text}: a picture is wanted")
        if grey.size != (width, height):
            raise UsageError(
                f"--roi {text}: {grey.width}x{grey.height}, the picture {width}x{height}"
            )
        mask[:] = np.asarray(grey.convert("L"), np.float32) / 255
    return np.power(LEAST_WEIGHT, 1 - mask).astype(np.float32)


def _picture(name: str) -> Image.Image | NDArray[np.uint8]:
    """What Pillow reads, or an array that is mapped into memory; raises ImageError."""
    from PIL import Image, UnidentifiedImageError

    if name.endswith(ROWS_SUFFIX):
        import numpy as np

        try:
            return np.load(name, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            raise ImageError(f"not an array that NumPy can map: {error}") from error
    data = batch.read_input(name)
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ImageError("not a picture that Pillow can read") from error
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error

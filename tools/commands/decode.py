"""Decode nacre files into pictures: PNG, or any format that Pillow writes.

nacre decode photo.ncr -o photo.png
nacre decode coded/ -o pictures/ --format webp
nacre decode photo.ncr -o - | display
"""

from __future__ import annotations

import io
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import UsageError
from nacre.tools import batch
from nacre.tools.commands.encode import SUFFIX

if TYPE_CHECKING:
    from PIL import Image

KEEPS_EXIF = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "MPO", "JPEG2000"}
BEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
}


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "nacre files")
    parser.add_argument(
        "--format", help="of the pictures: png, jpeg, webp, ... (default: by name, else png)"
    )
    parser.add_argument(
        "--model", help="the path of a weights file, for files of a model that is not embedded"
    )
    batch.add_coding_arguments(parser)


def run(args: Namespace) -> int:
    from PIL import Image

    Image.init()
    suffix, format = _format(args.format, args.output, Image.registered_extensions())
    jobs = batch.plan(args.inputs, args.output, [SUFFIX], suffix)
    if any(job.target != batch.STREAM for job in jobs) and args.format is None and len(jobs) == 1:
        suffix, format = _format(None, jobs[0].target, Image.registered_extensions())
    from nacre import codec
    from nacre.codec.container import Limits

    batch.prepare_torch(args)
    limits = Limits(pixels=args.max_pixels)

    def decode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        image = codec.decode(
            batch.read_input(job.source), model=args.model, device=args.device, precision=args.precision,
            limits=limits,
        )  # fmt: skip
        batch.write_output(job.target, picture_bytes(image, format), args.force)
        seconds = time.perf_counter() - start
        return f"{job.source} -> {job.target}: {image.width}x{image.height}, {seconds:.2f} s"

    return batch.run_batch(jobs, decode, args)


def _format(name: str | None, output: str | None, known: dict[str, str]) -> tuple[str, str]:
    """Suffix and Pillow's name of the format to write."""
    if name is None:
        suffix = Path(output).suffix.lower() if output not in (None, batch.STREAM) else ""
        if suffix and suffix not in known:
            raise UsageError(f"no picture format is known by {suffix}")
        return (suffix, known[suffix]) if suffix else (".png", "PNG")
    suffix = f".{name.lower().removeprefix('.')}"
    if suffix not in known:
        raise UsageError(f"no picture format is called {name}")
    return suffix, known[suffix]


def picture_bytes(image: Image.Image, format: str) -> bytes:
    """A picture in a format of Pillow's, with its metadata where the format can hold it."""
    from PIL import Image, ImageOps

    if format not in Image.SAVE:
        raise UsageError(f"Pillow cannot write {format}")
    options = dict(BEST.get(format, {}))
    for key in ("icc_profile", "exif", "xmp"):
        if key in image.info:
            options[key] = image.info[key]
    if format not in KEEPS_EXIF:
        image = ImageOps.exif_transpose(image)
    out = io.BytesIO()
    try:
        image.save(out, format, **options)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(f"Pillow cannot write this picture as {format}: {error}") from error
    return out.getvalue()

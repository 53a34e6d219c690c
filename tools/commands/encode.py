"""Encode pictures into nacre files (.ncr).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
"""

from __future__ import annotations

import io
import time
from argparse import ArgumentParser, Namespace

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch

SUFFIX = ".ncr"


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "pictures")
    parser.add_argument(
        "-q", "--quality", type=int, default=60, metavar="1..100", help="100 is best (default: 60)"
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
    from PIL import Image, UnidentifiedImageError

    from nacre import codec
    from nacre.models.zoo import load_model

    Image.MAX_IMAGE_PIXELS = args.max_pixels
    batch.prepare_torch(args)
    load_model(args.model)

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        data = batch.read_input(job.source)
        try:
            image = Image.open(io.BytesIO(data))
        except UnidentifiedImageError as error:
            raise ImageError("not a picture that Pillow can read") from error
        except Exception as error:  # readers of Pillow raise whatever their parsing hits
            raise ImageError(f"the picture cannot be read: {error}") from error
        coded = codec.encode(
            image, quality=args.quality, model=args.model, device=args.device, precision=args.precision,
            strip=args.strip, limits=batch.limits(args),
        )  # fmt: skip
        batch.write_output(job.target, coded, args.force)
        bpp = 8 * len(coded) / (image.width * image.height)
        seconds = time.perf_counter() - start
        return f"{job.source} -> {job.target}: {len(coded)} bytes, {bpp:.3f} bpp, {seconds:.2f} s"

    return batch.run_batch(jobs, encode, args)

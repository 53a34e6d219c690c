"""Encode pictures into nacre files (.ncr).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
"""

from __future__ import annotations

import io
import time
from argparse import ArgumentParser, Namespace

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
    from PIL import Image, UnidentifiedImageError

    Image.init()
    jobs = batch.plan(args.inputs, args.output, Image.registered_extensions(), SUFFIX)
    Image.MAX_IMAGE_PIXELS = args.max_pixels
    from nacre import codec
    from nacre.codec.container import Limits
    from nacre.entropy.errors import ImageError
    from nacre.models.zoo import load_model

    batch.prepare_torch(args)
    load_model(args.model)

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        try:
            image = Image.open(io.BytesIO(batch.read_input(job.source)))
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            reason = (
                "too many pixels" if "bomb" in str(error) else "not a picture that Pillow can read"
            )
            raise ImageError(reason) from error
        data = codec.encode(
            image, quality=args.quality, model=args.model, device=args.device, precision=args.precision,
            strip=args.strip, limits=Limits(pixels=args.max_pixels),
        )  # fmt: skip
        batch.write_output(job.target, data, args.force)
        bpp = 8 * len(data) / (image.width * image.height)
        seconds = time.perf_counter() - start
        return f"{job.source} -> {job.target}: {len(data)} bytes, {bpp:.3f} bpp, {seconds:.2f} s"

    return batch.run_batch(jobs, encode, args)

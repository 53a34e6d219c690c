"""Encode pictures into nacre files (.ncr).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
nacre encode huge.npy -o huge.ncr      # uint8, mapped into memory and read as it is coded
"""

from __future__ import annotations

import io
import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SUFFIX = ".ncr"
ROWS_SUFFIX = ".npy"  # uint8 (H, W, 3) or (H, W, 1), row by row


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
    from PIL import Image

    from nacre import codec
    from nacre.codec.container import read_head
    from nacre.models.zoo import load_model

    Image.MAX_IMAGE_PIXELS = args.max_pixels
    batch.prepare_torch(args)
    load_model(args.model)

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        image = _picture(job.source)
        coded = codec.encode(
            image, quality=args.quality, model=args.model, device=args.device, precision=args.precision,
            strip=args.strip, limits=batch.limits(args),
        )  # fmt: skip
        batch.write_output(job.target, coded, args.force)
        head = read_head(coded)
        bpp = 8 * len(coded) / (head.width * head.height)
        seconds = time.perf_counter() - start
        return f"{job.source} -> {job.target}: {len(coded)} bytes, {bpp:.3f} bpp, {seconds:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), encode, args)


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

"""Encode pictures into nacre files (.ncr).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
nacre encode photo.jpg --size 100kB --effort 6
nacre encode huge.npy -o huge.ncr      # uint8 or uint16, mapped into memory and read as it is coded
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
ROWS_SUFFIX = ".npy"  # uint8 or uint16 (H, W, 1 to 4), row by row


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
    from nacre.codec.encoder import DEFAULT_QUALITY
    from nacre.models.zoo import load_model

    Image.MAX_IMAGE_PIXELS = args.max_pixels
    batch.prepare_torch(args)
    load_model(args.model)

    wanted = _wanted(args)
    seconds = None
    if args.time_budget is not None:
        seconds = _number(args.time_budget, MINUTES, "--time-budget", "30s or 2m")
    interest = None if args.roi is None else Interest(args.roi)
    is_search = args.effort != 0
    options = {
        "effort": args.effort, "time_budget": seconds, "model": args.model, "device": args.device,
        "precision": args.precision, "strip": args.strip, "limits": batch.limits(args),
    }  # fmt: skip

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        image = _picture(job.source)
        roi = None if interest is None else interest.weights(image)
        with watched(args.quiet, is_search) as goes_on:
            if wanted:
                coded = codec.encode_to(image, **wanted, roi=roi, goes_on=goes_on, **options).data
            else:
                quality = DEFAULT_QUALITY if args.quality is None else args.quality
                coded = codec.encode(image, quality=quality, roi=roi, goes_on=goes_on, **options)
            batch.write_output(job.target, coded, args.force)
        head = read_head(coded)
        bpp = 8 * len(coded) / (head.width * head.height)
        done = f"{job.source} -> {job.target}: {len(coded)} bytes, {bpp:.3f} bpp"
        return f"{done}, quality {head.quality}, {time.perf_counter() - start:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), encode, args)


UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
MINUTES = {"": 1, "s": 1, "m": 60, "min": 60}  # in seconds
LEAST_WEIGHT = 1 / 16  # of errors where a mask is black


def _wanted(args: Namespace) -> dict[str, Any]:
    """What `encode_to` is to reach; empty for a quality."""
    found = {name: getattr(args, name) for name in ("bpp", "psnr", "ssim")}
    wanted = {name: value for name, value in found.items() if value is not None}
    if args.size is not None:
        wanted["size"] = _number(args.size, UNITS, "--size", "50000, 100kB or 64KiB")
    return wanted


def _number(text: str, units: dict[str, int], option: str, examples: str) -> float:
    """A number with a unit behind it."""
    parts = re.fullmatch(r"(\d+\.?\d*|\.\d+) *([a-z]*)", text.strip().lower())
    if parts is None or parts[2] not in units:
        raise UsageError(f"{option} {text}: a number is wanted, as in {examples}")
    return float(parts[1]) * units[parts[2]]


class Interest:
    """Where it matters: what --roi says, for pictures as they are shown."""

    def __init__(self, text: str) -> None:
        import numpy as np
        from PIL import ImageOps

        from nacre.codec.colour import to_picture

        self._text, self._mask, self._box = text, None, None
        if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){3}", text):
            self._box = [int(part) for part in text.split(",")]
            return
        if text == batch.STREAM:
            raise UsageError("--roi is a file, or X,Y,W,H")
        try:
            image = _picture(text)
            if not isinstance(image, np.ndarray):
                image = ImageOps.exif_transpose(image)
            mask = to_picture(image)
        except (ImageError, OSError) as error:
            raise UsageError(
                f"--roi {text}: {getattr(error, 'strerror', None) or error}"
            ) from error
        grey = mask.pixels.mean(2) / np.iinfo(mask.pixels.dtype).max
        self._mask = grey if mask.alpha is None else grey * (mask.alpha / 255)
        if not self._mask.any():
            raise UsageError(f"--roi {text}: it is black everywhere")

    def weights(self, image: Image.Image | NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) how much errors weigh, from LEAST_WEIGHT to 1, as the picture lies in the file."""
        import numpy as np
        from PIL import Image

        from nacre.codec.colour import exif

        if isinstance(image, Image.Image):
            (width, height), (turned, _) = image.size, exif(image)
        else:
            (height, width), turned = image.shape[:2], 1
        shown = (width, height) if turned in (5, 6, 7, 8) else (height, width)
        if self._box is not None:
            x, y, w, h = self._box
            mask = np.zeros(shown, np.float32)
            mask[y : y + h, x : x + w] = 1
            if not mask.any():
                raise ImageError(f"--roi {self._text}: outside the {shown[1]}x{shown[0]} pixels")
        elif self._mask is not None and self._mask.shape == shown:
            mask = self._mask
        else:
            found = (0, 0) if self._mask is None else self._mask.shape
            raise ImageError(
                f"--roi {self._text}: {found[1]}x{found[0]}, the picture {shown[1]}x{shown[0]}"
            )
        return np.power(LEAST_WEIGHT, 1 - _as_stored(mask, turned)).astype(np.float32)


def _as_stored(mask: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo what a viewer does with a picture of that EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        mask = mask.T
    if orientation in (2, 3, 7, 8):
        mask = mask[:, ::-1]
    if orientation in (3, 4, 6, 7):
        mask = mask[::-1]
    return mask


def _picture(name: str) -> Image.Image | NDArray[np.uint8]:
    """What Pillow reads, or an array that is mapped into memory; raises ImageError."""
    from PIL import Image, UnidentifiedImageError

    if name.endswith(ROWS_SUFFIX):
        import numpy as np

        try:
            return np.load(name, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ImageError(f"not an array that NumPy can map: {error}") from error
    data = batch.read_input(name)
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ImageError("not a picture that Pillow can read") from error
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error

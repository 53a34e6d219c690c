"""Encode pictures into nacre files (.ncr), and clips (.ncv).

nacre encode photo.jpg -q 60 -o photo.ncr
nacre encode photos/ -o coded/
cat photo.png | nacre encode - > photo.ncr
nacre encode photo.jpg --size 100kB --effort 6
nacre encode drawing.png --lossless
nacre encode huge.npy -o huge.ncr      # uint8 or uint16, read from disk piece by piece
nacre encode clip.mp4 -o clip.ncv      # sound and subtitles go along; also frames/%05d.png or a folder

In a folder every picture that can be read here is encoded; pictures are recognised by suffix or by content.
Pictures that cannot be read are reported, and the exit code is then 3.
"""

from __future__ import annotations

import math
import os
import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from nacre.codec import threads
from nacre.codec.pictures import kinds
from nacre.codec.pictures.kinds import ROWS_SUFFIX as ROWS_SUFFIX
from nacre.entropy.errors import ImageError, LimitError, UsageError
from nacre.tools import batch, clips, plan, streams, values
from nacre.tools.watch import watched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nacre.codec import Picture
    from nacre.codec.container import Limits
    from nacre.codec.pictures.turned import Box

SUFFIX = ".ncr"


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "pictures")
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "-q", "--quality", type=int, metavar="1..100", help="100 is the best (default: 60)"
    )
    goal.add_argument("--bpp", type=float, help="bits per pixel of each file, at most")
    goal.add_argument("--size", metavar="100kB", help="bytes of each file, at most")
    goal.add_argument("--psnr", type=float, metavar="DB", help="PSNR of each file, at least")
    goal.add_argument("--ssim", type=float, metavar="0..1", help="SSIM of each file, at least")
    goal.add_argument("--lossless", action="store_true", help="keep every sample")
    parser.add_argument(
        "--effort", type=int, metavar="0..9",
        help="of the search for fewer bits: 0 is the fastest, 9 gives the smallest files (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--time-budget", metavar="30s",
        help="search for so long in each file; Ctrl-C ends the search and writes the file",
    )  # fmt: skip
    parser.add_argument(
        "--roi", metavar="MASK|X,Y,W,H",
        help="region of interest, the rest gets fewer bits: a rectangle, or a grey picture that is white there",
    )  # fmt: skip
    parser.add_argument(
        "--model", default="nacre", help="name or weights file of the model (default: nacre)"
    )
    parser.add_argument("--strip", action="store_true", help="drop ICC profile, EXIF and XMP")
    parser.add_argument(
        "--exact", action="store_true", help="keep the colours of fully transparent pixels"
    )
    parser.add_argument(
        "--keep-suffix", action="store_true", help="write photo.jpg.ncr in place of photo.ncr"
    )
    parser.add_argument(
        "--salvage", action="store_true", help="encode the readable part of truncated pictures"
    )
    clips.add_encode_arguments(parser)
    batch.add_coding_arguments(parser)


def run(args: Namespace) -> int:
    if clips.is_encoding(args):
        return clips.encode(args)
    jobs = _jobs(args)
    from nacre import codec
    from nacre.codec.container import read_head

    batch.prepare_torch(args)
    options = _options(args)
    region = None if args.roi is None else _region_of_interest(args.roi, batch.limits(args))
    is_goal = bool(_wanted(args))

    def encode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        picture: Any = _picture(job.source, args)
        with (
            threads.suited(math.prod(picture.pixels.shape[:2]), args.threads),
            watched(args.quiet, args.effort != 0 and not args.lossless) as goes_on,
        ):
            own: dict[str, Any] = {"goes_on": goes_on}
            if region is not None:
                own["roi"] = _weights(region, args.roi, picture)
            if is_goal:
                coded = codec.encode_to(picture, **options, **own).data
            else:
                coded = codec.encode(picture, **options, **own)
            batch.write_output(job.target, coded, args.force)
        head = read_head(coded)
        bpp = 8 * len(coded) / (head.width * head.height)
        done = f"{job.source} -> {job.target}: {len(coded)} bytes, {bpp:.3f} bpp"
        how = "without loss" if args.lossless else f"quality {head.quality}"
        return f"{done}, {how}, {time.perf_counter() - start:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), encode, args)


def _picture(name: str, args: Namespace) -> Picture:
    from nacre import codec
    from nacre.codec.pictures.reading import CutPictureError

    try:
        return codec.read_picture(
            streams.file_or_path(name), salvage=args.salvage, limits=batch.limits(args)
        )
    except CutPictureError as error:
        raise ImageError(f"{error}; --salvage encodes the readable part") from error


def _jobs(args: Namespace) -> list[batch.Job]:
    """Pair inputs with outputs, and report the files that are left out."""
    from nacre.datasets.pictures import picture_suffixes

    if any(name.lower().endswith(SUFFIX) and not os.path.isdir(name) for name in args.inputs):
        raise UsageError(f"a {SUFFIX} file is not a picture to encode; -o names an output")
    kinds.add_plugins()
    known = picture_suffixes()
    found = plan.find(args.inputs, kinds.Pictures(known))
    jobs = plan.pair(found, args.output, SUFFIX, known | {ROWS_SUFFIX}, args.keep_suffix)
    plan.refuse_overwriting(jobs, [name for name in (args.roi, args.model) if name])
    for note in () if args.quiet else found.notes:
        batch.say(note)
    return jobs


def _options(args: Namespace) -> dict[str, Any]:
    """Options of `codec.encode` for every picture. Raises UsageError for options that no picture can have."""
    from nacre.codec.encoder import DEFAULT_QUALITY, check
    from nacre.codec.run import Run

    options: dict[str, Any] = {
        "effort": args.effort, "strip": args.strip, "limits": batch.limits(args),
    }  # fmt: skip
    quality = DEFAULT_QUALITY if args.quality is None else args.quality
    check(quality, args.effort or 0)
    if args.lossless:
        _refuse_with_lossless(args)
        return {**options, "lossless": True}
    run = {"model": args.model, "device": args.device, "precision": args.precision}
    found = Run.to_encode(run)
    if found.network.is_one_rate and args.quality is not None and not args.quiet:
        batch.say(f"{found.model.name} has one rate: --quality changes nothing")
    if args.roi is not None and args.effort == 0:
        raise UsageError("--roi: a region of interest needs an effort of 1 or more")
    options |= {"model": args.model, "device": args.device, "precision": args.precision}
    if args.exact:
        options["exact"] = True
    if args.time_budget is not None:
        options["time_budget"] = values.seconds(args.time_budget, "--time-budget")
    wanted = _wanted(args)
    return {**options, **(wanted or {"quality": quality})}


def _refuse_with_lossless(args: Namespace) -> None:
    """Raise UsageError for options that have no effect with --lossless."""
    for option in ("roi", "time_budget"):
        if getattr(args, option) is not None:
            raise UsageError(f"--{option.replace('_', '-')} has no effect with --lossless")


def _wanted(args: Namespace) -> dict[str, Any]:
    """The goal of `codec.encode_to`; empty where a quality is given."""
    found = {name: getattr(args, name) for name in ("bpp", "psnr", "ssim")}
    wanted = {name: value for name, value in found.items() if value is not None}
    if args.size is not None:
        wanted["size"] = values.size_bytes(args.size, "--size")
    for name in ("bpp", "size"):
        if not 0 < wanted.get(name, 1) < math.inf:
            raise UsageError(f"--{name} {wanted[name]:g}: a number over 0 wanted")
    if "psnr" in wanted or "ssim" in wanted:
        from nacre.codec.search.goals import likeness_goal

        likeness_goal(psnr=wanted.get("psnr"), ssim=wanted.get("ssim"))  # raises UsageError
    return wanted


def _region_of_interest(text: str, limits: Limits) -> Box | NDArray[np.float64]:
    """Parse --roi: a rectangle, or the mask in a picture file, of pictures as shown. Raises UsageError."""
    from nacre.codec import read_mask

    if box := values.box(text):
        return box
    if text == batch.STREAM:
        raise UsageError("--roi is a file, or X,Y,W,H")
    try:
        return read_mask(streams.file_or_path(text), limits=limits)
    except (ImageError, LimitError, OSError) as error:
        raise UsageError(f"--roi {text}: {getattr(error, 'strerror', None) or error}") from error


def _weights(region: Box | NDArray[np.float64], text: str, picture: Picture) -> NDArray[np.float32]:
    from nacre.codec import roi_weights

    try:
        return roi_weights(region, picture)
    except ImageError as error:
        raise ImageError(f"--roi {text}: {error}") from error

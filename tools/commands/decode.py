"""Decode nacre files into pictures: PNG, or any format that Pillow writes; and clips into videos.

nacre decode photo.ncr -o photo.png
nacre decode coded/ -o pictures/ --format webp
nacre decode photo.ncr -o - | display
nacre decode map.ncr --region 9000,4000,800,600 -o part.png
nacre decode huge.ncr -o huge.npy      # written row by row
nacre decode clip.ncv -o clip.mp4      # or .mkv .mov .webm .y4m .gif frames/%05d.png
nacre decode clip.ncv -o part.mkv --start 12.5 --duration 3
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from nacre.codec import threads
from nacre.codec.pictures.formats import file_bytes
from nacre.codec.pictures.writing import ROWS_FORMAT, format_of, write_rows
from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch, clips, plan, values
from nacre.tools.commands.encode import ROWS_SUFFIX, SUFFIX

if TYPE_CHECKING:
    from nacre import codec
    from nacre.codec.chunks import Bytes
    from nacre.codec.container import Limits
    from nacre.codec.pictures.turned import Box


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "nacre files")
    parser.add_argument(
        "--format",
        help="of the pictures: png, jpeg, webp, ... (default: by the name of OUT, else png)",
    )
    parser.add_argument(
        "--model", metavar="FILE", help="weights file, for files of a model that is not installed"
    )
    parser.add_argument(
        "--region", metavar="X,Y,W,H",
        help="decode a part of the picture, in pixels of the picture as shown; reads only the tiles it needs",
    )  # fmt: skip
    parser.add_argument(
        "--preview", action="store_true", help="decode the first layer only: a coarse picture"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse truncated files, which else decode with a warning",
    )
    clips.add_decode_arguments(parser)
    batch.add_coding_arguments(parser)


def run(args: Namespace) -> int:
    if clips.is_coded(args.inputs):
        return clips.decode(args)
    suffix = f".{(args.format or 'png').lower().removeprefix('.')}"
    format = format_of(suffix)
    jobs = batch.plan(args.inputs, args.output, [SUFFIX], suffix)
    plan.refuse_overwriting(jobs, [args.model] if args.model else [])
    if len(jobs) == 1 and args.format is None and Path(jobs[0].target).suffix:
        format = format_of(Path(jobs[0].target).suffix)
    from nacre import codec

    batch.prepare_torch(args)
    limits = batch.limits(args)
    options = {
        "model": args.model, "device": args.device, "precision": args.precision, "limits": limits,
        "preview": args.preview, "strict": args.strict,
    }  # fmt: skip
    box = None if args.region is None else values.box(args.region)
    if args.region is not None and box is None:
        raise UsageError(f"--region {args.region}: X,Y,W,H in pixels wanted")
    if format == ROWS_FORMAT and any(job.target == batch.STREAM for job in jobs):
        raise UsageError(f"{ROWS_SUFFIX} needs a file, not stdout")

    def decode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        with batch.opened_input(job.source) as data:
            region = None if box is None else _region(box, data, limits)
            opened = codec.Opened(data, **options, region=region)
            with threads.suited(opened.head.width * opened.head.height, args.threads):
                if format == ROWS_FORMAT:
                    size = _write_rows(opened, job.target, args.force)
                else:
                    picture = opened.picture()
                    size = picture.pixels.shape[1::-1]
                    batch.write_output(job.target, file_bytes(picture, format), args.force)
            read = getattr(data, "bytes_read", len(data))
        seconds = time.perf_counter() - start
        done = f"{job.source} -> {job.target}: {size[0]}x{size[1]}"
        return f"{done}, {read} of {len(data)} bytes read, {seconds:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), decode, args)


def _region(box: Box, data: Bytes, limits: Limits) -> codec.Region:
    from nacre.codec import shown_region

    try:
        return shown_region(data, box, limits=limits)
    except ImageError as error:
        raise ImageError(f"--region {error}") from error


def _write_rows(opened: codec.Opened, target: str, force: bool) -> tuple[int, int]:
    """Write a NumPy file, whole or not at all; return width and height."""
    with batch.partial_output(target, force) as partial, open(partial, "wb") as file:
        write_rows(opened, file)
    return opened.size[1], opened.size[0]

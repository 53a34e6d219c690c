"""Decode nacre files into pictures: PNG, or any format that Pillow writes.

nacre decode photo.ncr -o photo.png
nacre decode coded/ -o pictures/ --format webp
nacre decode photo.ncr -o - | display
nacre decode map.ncr --region 9000,4000,800,600 -o part.png
nacre decode huge.ncr -o huge.npy      # row by row, whatever its size
"""

from __future__ import annotations

import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from nacre.codec import threads
from nacre.codec.pictures.formats import file_bytes as file_bytes
from nacre.codec.pictures.formats import picture_bytes as picture_bytes
from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch, plan
from nacre.tools.commands.encode import ROWS_SUFFIX, SUFFIX

if TYPE_CHECKING:
    from nacre import codec
    from nacre.codec.chunks import Bytes
    from nacre.codec.container import Limits, MetaKind
    from nacre.codec.pictures.turned import Box

ROWS_FORMAT = "NPY"  # written row by row; orientation and metadata stay behind


def add_arguments(parser: ArgumentParser) -> None:
    batch.add_batch_arguments(parser, "nacre files")
    parser.add_argument(
        "--format", help="of the pictures: png, jpeg, webp, ... (default: by name, else png)"
    )
    parser.add_argument(
        "--model", help="the path of a weights file, for files of a model that is not embedded"
    )
    parser.add_argument(
        "--region",
        metavar="X,Y,W,H",
        help="a part of the picture as it is shown, its orientation applied; reads the tiles it needs alone",
    )
    parser.add_argument(
        "--preview", action="store_true", help="a coarse picture, from the first layer alone"
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse a file that ends early, in place of a warning"
    )
    batch.add_coding_arguments(parser)


def run(args: Namespace) -> int:
    from PIL import Image

    Image.init()
    known = {**Image.registered_extensions(), ROWS_SUFFIX: ROWS_FORMAT}
    writable = {*Image.SAVE, ROWS_FORMAT}
    suffix, format = _format(args.format or "png", known, writable)
    jobs = batch.plan(args.inputs, args.output, [SUFFIX], suffix)
    plan.refuse_overwriting(jobs, [args.model] if args.model else [])
    if len(jobs) == 1 and args.format is None and Path(jobs[0].target).suffix:
        suffix, format = _format(Path(jobs[0].target).suffix, known, writable)
    from nacre import codec

    batch.prepare_torch(args)
    limits = batch.limits(args)
    options = {
        "model": args.model, "device": args.device, "precision": args.precision, "limits": limits,
        "preview": args.preview, "strict": args.strict,
    }  # fmt: skip
    box = _box(args.region)
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


def _box(text: str | None) -> Box | None:
    """What --region says, of the picture as it is shown."""
    if text is None:
        return None
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError:
        raise UsageError(f"--region {text}: X,Y,W,H in pixels wanted") from None
    return x, y, width, height


def _region(box: Box, data: Bytes, limits: Limits) -> codec.Region:
    """Where that lies in a file; raises ImageError when it is not inside."""
    from nacre import codec
    from nacre.codec.container import read_head
    from nacre.codec.pictures.metadata import shown_orientation
    from nacre.codec.pictures.turned import shown_size, stored_box

    head = read_head(data, limits)
    orientation = shown_orientation(_metadata(data, limits), head.orientation)
    width, height = shown_size(head.width, head.height, orientation)
    x, y, w, h = box
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise ImageError(f"--region {x},{y},{w},{h} is not inside {width}x{height}")
    return codec.Region(*stored_box(box, head.width, head.height, orientation))


def _metadata(data: Bytes, limits: Limits) -> dict[MetaKind, bytes]:
    """Read no further than that."""
    from nacre.codec.chunks import read_chunks
    from nacre.codec.container import Head, Meta

    blocks: dict[MetaKind, bytes] = {}
    for chunk in read_chunks(data):
        if chunk.kind == Meta.TYPE and chunk.size <= limits.metadata_bytes:
            block = Meta.from_bytes(chunk.checked())
            blocks[block.kind] = block.data
        elif chunk.kind.isupper() and chunk.kind != Head.TYPE:
            break
    return blocks


def _write_rows(opened: codec.Opened, target: str, force: bool) -> tuple[int, int]:
    """Into a NumPy file, row by row; whole or not at all. Returns width and height."""
    import numpy as np
    from numpy.lib.format import write_array_header_1_0

    from nacre.codec.pictures.colour import in_depth_of

    lost = [block.kind.name for block in opened.metadata]
    if lost or opened.head.orientation != 1:
        lost += ["orientation"] if opened.head.orientation != 1 else []
        warnings.warn(f"{ROWS_SUFFIX} is written without {', '.join(lost)}", stacklevel=2)
    shape = (*opened.size, opened.head.channels)
    with batch.partial_output(target, force) as partial, open(partial, "wb") as file:
        head = {"descr": opened.dtype.str, "fortran_order": False, "shape": shape}
        write_array_header_1_0(file, head)
        plane = opened.alpha()
        for top, rows in opened.rows():
            if plane is not None:
                own = in_depth_of(plane[top : top + len(rows)], opened.dtype)
                file.write(np.ascontiguousarray(np.dstack([rows, own])).data)
            else:
                file.write(np.ascontiguousarray(rows).data)
            del rows
    return shape[1], shape[0]


def _format(name: str, known: dict[str, str], writable: Container[str]) -> tuple[str, str]:
    """Suffix and Pillow's name of a format that is called by its suffix."""
    suffix = f".{name.lower().removeprefix('.')}"
    if suffix not in known:
        raise UsageError(f"no picture format is known by {suffix}")
    if known[suffix] not in writable:
        raise UsageError(f"Pillow reads {suffix} pictures, but cannot write them")
    return suffix, known[suffix]

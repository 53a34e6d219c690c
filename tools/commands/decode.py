"""Decode nacre files into pictures: PNG, or any format that Pillow writes.

nacre decode photo.ncr -o photo.png
nacre decode coded/ -o pictures/ --format webp
nacre decode photo.ncr -o - | display
"""

from __future__ import annotations

import io
import time
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import UsageError
from nacre.tools import batch
from nacre.tools.commands.encode import SUFFIX

if TYPE_CHECKING:
    from PIL import Image

KEEPS_EXIF = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "MPO"}
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
    known = Image.registered_extensions()
    suffix, format = _format(args.format or "png", known)
    jobs = batch.plan(args.inputs, args.output, [SUFFIX], suffix)
    if len(jobs) == 1 and args.format is None and Path(jobs[0].target).suffix:
        suffix, format = _format(Path(jobs[0].target).suffix, known)
    from nacre import codec

    batch.prepare_torch(args)
    limits = batch.limits(args)

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


def _format(name: str, known: dict[str, str]) -> tuple[str, str]:
    """Suffix and Pillow's name of a format that is called by its suffix."""
    suffix = f".{name.lower().removeprefix('.')}"
    if suffix not in known:
        raise UsageError(f"no picture format is known by {suffix}")
    return suffix, known[suffix]


def picture_bytes(image: Image.Image, format: str) -> bytes:
    """A picture in a format of Pillow's, with its metadata where the format can hold it."""
    from PIL import Image, ImageOps

    if format not in Image.SAVE:
        raise UsageError(f"Pillow cannot write {format}")
    metadata: dict[str, Any] = {
        key: image.info[key] for key in ("icc_profile", "exif", "xmp") if key in image.info
    }
    if format == "PNG" and "xmp" in metadata:
        from PIL.PngImagePlugin import PngInfo

        metadata["pnginfo"] = PngInfo()
        text = metadata.pop("xmp").decode("utf-8", "replace")
        metadata["pnginfo"].add_itxt("XML:com.adobe.xmp", text)
    try:
        if format not in KEEPS_EXIF:
            image = ImageOps.exif_transpose(image)
        return _saved(image, format, metadata)
    except Exception as error:  # writers of Pillow raise whatever the metadata make them
        if not metadata:
            raise UsageError(f"Pillow cannot write this picture as {format}: {error}") from error
        warnings.warn(f"without its metadata, which {format} does not take: {error}", stacklevel=2)
        image = image.copy()
        image.info.clear()
        return _saved(image, format, {})


def _saved(image: Image.Image, format: str, metadata: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **BEST.get(format, {}), **metadata)
    return out.getvalue()

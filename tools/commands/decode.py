"""Decode nacre files into pictures: PNG, or any format that Pillow writes.

nacre decode photo.ncr -o photo.png
nacre decode coded/ -o pictures/ --format webp
nacre decode photo.ncr -o - | display
nacre decode map.ncr --region 9000,4000,800,600 -o part.png
nacre decode huge.ncr -o huge.npy      # row by row, whatever its size
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
from nacre.tools.commands.encode import ROWS_SUFFIX, SUFFIX

if TYPE_CHECKING:
    from PIL import Image

    from nacre import codec
    from nacre.codec.colour import Picture

ROWS_FORMAT = "NPY"  # written row by row; orientation and metadata stay behind
KEEPS_EXIF = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF", "MPO"}
OPAQUE = {"JPEG", "MPO", "BMP", "PPM", "EPS", "PDF", "PCX"}
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
    parser.add_argument(
        "--region", metavar="X,Y,W,H", help="a part of the picture; reads the tiles it needs alone"
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
    suffix, format = _format(args.format or "png", known)
    jobs = batch.plan(args.inputs, args.output, [SUFFIX], suffix)
    if len(jobs) == 1 and args.format is None and Path(jobs[0].target).suffix:
        suffix, format = _format(Path(jobs[0].target).suffix, known)
    from nacre import codec

    batch.prepare_torch(args)
    options = {
        "model": args.model, "device": args.device, "precision": args.precision, "limits": batch.limits(args),
        "region": _region(args.region), "preview": args.preview, "strict": args.strict,
    }  # fmt: skip

    def decode(job: batch.Job) -> str:
        start = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        with batch.opened_input(job.source) as data:
            if format == ROWS_FORMAT:
                size = _write_rows(codec.Opened(data, **options), job.target, args.force)
            else:
                picture = codec.Opened(data, **options).picture()
                size = picture.pixels.shape[1::-1]
                batch.write_output(job.target, file_bytes(picture, format), args.force)
            read = getattr(data, "bytes_read", len(data))
        seconds = time.perf_counter() - start
        done = f"{job.source} -> {job.target}: {size[0]}x{size[1]}"
        return f"{done}, {read} of {len(data)} bytes read, {seconds:.2f} s"

    return batch.run_batch(batch.left_to_do(jobs, args), decode, args)


def _region(text: str | None) -> codec.Region | None:
    from nacre import codec

    if text is None:
        return None
    try:
        return codec.Region(*map(int, text.split(",")))
    except (ValueError, TypeError):
        raise UsageError(f"--region {text}: X,Y,W,H in pixels wanted") from None


def _write_rows(opened: codec.Opened, target: str, force: bool) -> tuple[int, int]:
    """Into a NumPy file, row by row; whole or not at all. Returns width and height."""
    import numpy as np
    from numpy.lib.format import write_array_header_1_0

    if target == batch.STREAM:
        raise UsageError(f"{ROWS_SUFFIX} needs a file, not stdout")
    shape = (*opened.size, opened.head.channels)
    with batch.partial_output(target, force) as partial, open(partial, "wb") as file:
        head = {"descr": opened.dtype.str, "fortran_order": False, "shape": shape}
        write_array_header_1_0(file, head)
        plane = opened.alpha()
        for top, rows in opened.rows():
            if plane is not None:
                unit = 1 if opened.head.bit_depth == 8 else 257
                own = plane[top : top + len(rows)].astype(opened.dtype) * unit
                rows = np.dstack([rows, own])
            file.write(np.ascontiguousarray(rows).data)
            del rows
    return shape[1], shape[0]


def _format(name: str, known: dict[str, str]) -> tuple[str, str]:
    """Suffix and Pillow's name of a format that is called by its suffix."""
    suffix = f".{name.lower().removeprefix('.')}"
    if suffix not in known:
        raise UsageError(f"no picture format is known by {suffix}")
    return suffix, known[suffix]


def file_bytes(picture: Picture, format: str) -> bytes:
    """A picture in a format of Pillow's, or of 16-bit colour in PNG or TIFF."""
    import numpy as np

    from nacre.codec import deep
    from nacre.codec.colour import to_pil

    if picture.pixels.dtype != np.uint16 or picture.channels == 1 or format not in deep.FORMATS:
        return picture_bytes(to_pil(picture), format)
    samples = picture.pixels.astype(np.uint16)
    if samples.shape[2] == 1:
        samples = samples.repeat(3, 2)
    if picture.alpha is not None:
        samples = np.dstack([samples, picture.alpha.astype(np.uint16) * 257])
    if picture.metadata or picture.orientation != 1:
        warnings.warn(f"{format} of 16-bit colour is written without metadata", stacklevel=2)
    return deep.write(samples, format)


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
        if format not in KEEPS_EXIF and "icc_profile" in image.info:
            image = _to_srgb(image)
        if format in OPAQUE and image.mode in ("RGBA", "LA"):
            warnings.warn(f"transparency is blended onto white for {format}", stacklevel=2)
            white = Image.new("RGBA", image.size, "white")
            flat = Image.alpha_composite(white, image.convert("RGBA"))
            image = flat.convert("RGB" if image.mode == "RGBA" else "L")
        return _saved(image, format, metadata)
    except Exception as error:  # writers of Pillow raise whatever the metadata make them
        if not metadata:
            raise UsageError(f"Pillow cannot write this picture as {format}: {error}") from error
        warnings.warn(f"without its metadata, which {format} does not take: {error}", stacklevel=2)
        image = image.copy()
        image.info.clear()
        return _saved(image, format, {})


def _to_srgb(image: Image.Image) -> Image.Image:
    """In the colours that a reader without the profile will take them for; as it is if the profile is none."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        srgb = ImageCms.createProfile("sRGB")
        mode = "RGB" if image.mode in ("L", "RGB") else image.mode
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode=mode)
    except (OSError, ImageCms.PyCMSError):
        return image
    return image if converted is None else converted


def _saved(image: Image.Image, format: str, metadata: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **BEST.get(format, {}), **metadata)
    return out.getvalue()

"""Samples to picture files: `codec.write_picture`, and NumPy files row by row."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import write_array_header_1_0
from PIL import Image

from nacre.codec.pictures.colour import Picture, Pixels, in_depth_of, to_picture
from nacre.codec.pictures.formats import file_bytes, picture_bytes
from nacre.codec.pictures.kinds import ROWS_SUFFIX
from nacre.codec.pictures.metadata import ImageWarning
from nacre.entropy.errors import UsageError

if TYPE_CHECKING:
    from nacre.codec.decoder import Opened

ROWS_FORMAT = "NPY"  # written row by row; orientation and metadata are not kept


def format_of(name: str) -> str:
    """The name of a format ("PNG", "JPEG", "NPY") from its suffix ("png", ".jpg") or name, in any case.

    Raises UsageError for suffixes that are not known and formats that Pillow reads alone.
    """
    Image.init()
    suffix = f".{name.lower().removeprefix('.')}"
    known = {**Image.registered_extensions(), ROWS_SUFFIX: ROWS_FORMAT}
    format = name.upper() if name.upper() in Image.SAVE else known.get(suffix)
    if format is None:
        raise UsageError(f"no picture format is known by {suffix}")
    if format not in Image.SAVE and format != ROWS_FORMAT:
        raise UsageError(f"Pillow reads {suffix} pictures, but cannot write them")
    return format


def write_picture(
    picture: Picture | Image.Image,
    target: str | os.PathLike[str] | IO[bytes],
    format: str | None = None,
) -> None:
    """Write a picture to a path or a binary file; a file that exists is replaced.

    `format` is a suffix or Pillow's name of a format that Pillow writes, or "npy"; without it the suffix of the
    path decides. PNG and TIFF hold all of a Picture, with 16 bits a sample; other formats convert,
    round or drop the rest with an ImageWarning. Nothing is written before the whole file is made.

    Raises UsageError for formats that are not known, ImageError for pictures that the format cannot hold,
    and OSError.
    """
    if format is None:
        if not isinstance(target, (str, os.PathLike)):
            raise UsageError("a file without a path needs a format")
        format = Path(target).suffix
    name = format_of(format)
    if name == ROWS_FORMAT:
        data = _rows_bytes(picture)
    elif isinstance(picture, Picture):
        data = file_bytes(picture, name)
    else:
        data = picture_bytes(picture, name)
    if isinstance(target, (str, os.PathLike)):
        Path(target).write_bytes(data)
    else:
        target.write(data)


def _rows_bytes(picture: Picture | Image.Image) -> bytes:
    found = to_picture(picture)
    _warn_of_lost([kind.name for kind in found.metadata], found.orientation)
    out = io.BytesIO()
    _write(out, found.pixels.shape, found.alpha, [(0, found.pixels)], found.pixels.dtype)
    return out.getvalue()


def write_rows(opened: Opened, file: IO[bytes]) -> None:
    """Decode a nacre file into a NumPy file (H, W, 1 to 4) of uint8 or uint16, row by row.

    Transparency is the last channel; metadata and orientation are dropped with an ImageWarning. Raises the
    errors of `Opened.rows`.
    """
    _warn_of_lost([block.kind.name for block in opened.metadata], opened.head.orientation)
    shape = (*opened.size, opened.head.colours)
    _write(file, shape, opened.alpha(), opened.rows(), opened.dtype)


def _warn_of_lost(kinds: list[str], orientation: int) -> None:
    lost = kinds + (["orientation"] if orientation != 1 else [])
    if lost:
        warnings.warn(f"{ROWS_SUFFIX} is written without {', '.join(lost)}", ImageWarning, 3)


def _write(
    file: IO[bytes],
    shape: tuple[int, ...],
    alpha: Pixels | None,
    bands: Iterable[tuple[int, Pixels]],
    dtype: np.dtype[Any],
) -> None:
    """Write a NumPy file; `bands` gives (top, rows) of the colours, downwards."""
    whole = (*shape[:2], shape[2] + (alpha is not None))
    head = {"descr": dtype.str, "fortran_order": False, "shape": whole}
    write_array_header_1_0(file, head)
    for top, rows in bands:
        if alpha is None:
            file.write(np.ascontiguousarray(rows).data)
        else:
            own = in_depth_of(alpha[top : top + len(rows)], dtype)
            file.write(np.ascontiguousarray(np.dstack([rows, own])).data)
        del rows  # frees them while the next ones are decoded

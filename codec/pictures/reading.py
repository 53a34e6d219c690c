"""Picture files to samples: `codec.read_picture`."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from nacre.codec.chunks import SIGNATURE
from nacre.codec.container import Limits
from nacre.codec.pictures import kinds, png_texts, webp
from nacre.codec.pictures.colour import Picture, to_picture
from nacre.codec.pictures.metadata import warn
from nacre.codec.pictures.pillow_limit import pixel_limit
from nacre.entropy.errors import ImageError, LimitError

Source = str | os.PathLike[str] | IO[bytes]
NUMPY_SIGNATURE = b"\x93NUMPY"


class CutPictureError(ImageError):
    """The picture file is cut or damaged; `read_picture(..., salvage=True)` reads what is there."""


def read_picture(source: Source, *, salvage: bool = False, limits: Limits = Limits()) -> Picture:
    """Read a picture file of any format that Pillow reads, or a NumPy file, for `encode`.

    `source` is a path or a binary file, which is read from its position to its end. 16-bit samples,
    transparency, orientation, ICC, EXIF and XMP are kept; what is not kept is named by an ImageWarning. The
    samples of a .npy file, bool, uint8 or uint16 (H, W) or (H, W, 1 to 4), are mapped into memory, not read.
    With `salvage` a file that is cut or damaged is read as far as it goes, with an ImageWarning.

    Raises ImageError for files that are no picture or cannot be read (CutPictureError where `salvage`
    helps), LimitError for more pixels than `limits.pixels`, before they are decompressed, and OSError.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        if name.lower().endswith(kinds.ROWS_SUFFIX):
            return _from_array(name, limits)
        data = Path(name).read_bytes()
    else:
        name, data = str(getattr(source, "name", "")), source.read()
    if data.startswith(NUMPY_SIGNATURE):
        return _from_array(io.BytesIO(data), limits)
    if not data:
        raise ImageError("the file is empty")
    if data.startswith(SIGNATURE):  # which the Pillow plugin would decode
        raise ImageError(kinds.why_not(name, data))
    with pixel_limit(limits.pixels), png_texts.long_texts():
        return _from_data(name, png_texts.without_longer_texts(data), salvage, limits)


def _from_data(name: str, data: bytes, salvage: bool, limits: Limits) -> Picture:
    is_lenient = salvage and not _is_whole(data)
    if is_lenient:
        if not _is_whole(data, is_lenient=True):
            raise ImageError("nothing of the picture can be read")
        warn("cut or damaged: what is missing is grey or black")
    try:
        with _lenient(is_lenient):
            return to_picture(_opened(name, data, limits))
    except ImageError as error:
        is_cut = not is_lenient and not _is_whole(data)
        if is_cut and _is_whole(data, is_lenient=True):
            raise CutPictureError(str(error)) from error
        raise


def _from_array(source: str | IO[bytes], limits: Limits) -> Picture:
    mode: Any = "r" if isinstance(source, str) else None
    try:
        array: NDArray[np.generic] = np.load(source, mmap_mode=mode, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ImageError(f"not an array that NumPy can map: {error}") from error
    if array.ndim > 1:
        limits.check_pixels(array.shape[1], array.shape[0])
    return to_picture(array)


def _opened(name: str, data: bytes, limits: Limits) -> Image.Image:
    """An image that is not loaded yet."""
    if sides := webp.size(data):
        limits.check_pixels(*sides)
    try:
        image = Image.open(io.BytesIO(data))
    except LimitError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(kinds.why_not(name, data)) from error
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error
    if kinds.is_raw(image):
        raise ImageError(f"{kinds.reason('.dng')}: Pillow reads its preview")
    return image


def _is_whole(data: bytes, is_lenient: bool = False) -> bool:
    """Whether Pillow reads it to the end; raises LimitError."""
    try:
        with _lenient(is_lenient), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data)).load()
    except LimitError:
        raise
    except Exception:  # readers of Pillow raise whatever their parsing hits
        return False
    return True


@contextmanager
def _lenient(is_lenient: bool) -> Iterator[None]:
    """Let Pillow fill in the missing part of a file, if wanted."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = before or is_lenient
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before

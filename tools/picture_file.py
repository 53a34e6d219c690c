"""A picture from a file: also from one that was cut, and whatever the length of its comments."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nacre.codec.pictures.metadata import ImageWarning
from nacre.codec.pictures.png import SIGNATURE as PNG
from nacre.entropy.errors import ImageError
from nacre.tools import kinds, streams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

LONGEST_TEXT = (
    1 << 24
)  # bytes of a comment or a profile of PNG, unpacked: 16 times what Pillow takes
ALL_TEXTS = 1 << 26  # together, as in Pillow
TEXTS = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}


@contextmanager
def opened_picture(name: str, salvage: bool = False) -> Iterator[Image.Image | NDArray[Any]]:
    """What Pillow reads, or an array that is mapped into memory; it is loaded inside, when it is needed.

    With `salvage` a file that was cut is read as far as it goes, with an ImageWarning. Raises ImageError.
    """
    if name.lower().endswith(kinds.ROWS_SUFFIX):
        yield _mapped(name)
        return
    data = streams.read_input(name)
    if not data:
        raise ImageError("the file is empty")
    data = without_long_texts(data)
    with _lenient(salvage and not _is_whole(data)) as is_lenient, _long_texts():
        if is_lenient:
            if not _is_whole(data):
                raise ImageError("nothing of the picture can be read")
            warnings.warn(
                "cut or damaged: what is missing is grey or black", ImageWarning, stacklevel=3
            )
        try:
            yield _opened(name, data)
        except ImageError as error:
            if is_lenient or _is_whole(data) or not _is_whole(data, is_lenient=True):
                raise
            raise ImageError(f"{error}; --salvage codes what can be read") from error


def _mapped(name: str) -> NDArray[Any]:
    import numpy as np

    try:
        mapped: NDArray[np.generic] = np.load(name, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ImageError(f"not an array that NumPy can map: {error}") from error
    return mapped


def _opened(name: str, data: bytes) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ImageError(kinds.why_not(name, data)) from error
    except Exception as error:  # readers of Pillow raise whatever their parsing hits
        raise ImageError(f"the picture cannot be read: {error}") from error
    if kinds.is_raw(image):
        raise ImageError(f"{kinds.reason('.dng')}: Pillow reads its preview")
    return image


def _is_whole(data: bytes, is_lenient: bool = False) -> bool:
    """Whether Pillow reads it to the end."""
    from PIL import Image

    try:
        with _lenient(is_lenient), _long_texts(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data)).load()
    except Exception:  # readers of Pillow raise whatever their parsing hits
        return False
    return True


@contextmanager
def _lenient(is_lenient: bool) -> Iterator[bool]:
    """Let Pillow make something up for what is missing, if wanted."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = before or is_lenient
    try:
        yield is_lenient
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


@contextmanager
def _long_texts() -> Iterator[None]:
    """Let Pillow unpack what `without_long_texts` leaves."""
    from PIL import PngImagePlugin

    before = PngImagePlugin.MAX_TEXT_CHUNK
    PngImagePlugin.MAX_TEXT_CHUNK = LONGEST_TEXT
    try:
        yield
    finally:
        PngImagePlugin.MAX_TEXT_CHUNK = before


def without_long_texts(data: bytes) -> bytes:
    """A PNG file without comments that Pillow would refuse it for, with an ImageWarning; all else as it is."""
    if not data.startswith(PNG):
        return data
    kept, lost, total = [PNG], set(), 0
    for kind, start, end in _chunks(data):
        size = 0
        if kind in TEXTS and total <= ALL_TEXTS:  # beyond that, nothing more is unpacked
            size = _unpacked_bytes(kind, data[start + 8 : end - 4])
            total += size
        if kind in TEXTS and (size > LONGEST_TEXT or total > ALL_TEXTS):
            lost.add("a profile" if kind == b"iCCP" else "a comment")
        else:
            kept.append(data[start:end])
    if not lost:
        return data
    most = f"{LONGEST_TEXT >> 20} MiB, or {ALL_TEXTS >> 20} together"
    names = " and ".join(sorted(lost))
    warnings.warn(f"{names} of more than {most}: not kept", ImageWarning, stacklevel=3)
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of every chunk, the last one as far as it goes."""
    at = len(PNG)
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8].ljust(8, b"\0"))
        end = min(at + 12 + size, len(data))
        yield kind, at, end
        at = end


def _unpacked_bytes(kind: bytes, content: bytes) -> int:
    """Of a comment or a profile, at most one more than LONGEST_TEXT if it is packed."""
    rest = content.partition(b"\0")[2]  # behind its name
    packed = rest[1:]
    if kind == b"iTXt":
        packed = rest[2:].split(b"\0", 2)[-1]  # behind language and translated name
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\x01"):
        return len(content)
    try:
        return len(zlib.decompressobj().decompress(packed, LONGEST_TEXT + 1))
    except zlib.error:
        return 0

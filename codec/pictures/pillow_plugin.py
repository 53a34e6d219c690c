"""A Pillow plugin: after importing this, Image.open and Image.save know .ncr files.

    import nacre.codec.pillow_plugin
    Image.open("photo.ncr"); image.save("photo.ncr", quality=60)

Opening reads the head and the metadata; the rest of the file is read when the pixels are first needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from PIL import Image, ImageFile

from nacre import codec
from nacre.codec.chunks import SIGNATURE, FileBytes
from nacre.codec.container import MetaKind, Stream, read_head
from nacre.codec.pictures.colour import Picture, to_picture
from nacre.codec.pictures.metadata import EXIF_PREFIX, cleaned, metadata_info, shown_orientation
from nacre.codec.pictures.regions import read_metadata
from nacre.entropy.errors import NacreError

FORMAT, SUFFIX, MIME = "NACRE", ".ncr", "image/x-nacre"
OPTIONS = ("quality", "effort", "lossless", "exact", "model", "strip")
BLOCKS = {"exif": MetaKind.EXIF, "icc_profile": MetaKind.ICC, "xmp": MetaKind.XMP}


def accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


@contextmanager
def _errors_as_pillows() -> Iterator[None]:
    try:
        yield
    except NacreError as error:
        raise OSError(str(error)) from error


class NacreImageFile(ImageFile.ImageFile):
    """Reader. Damaged files raise OSError, as with Pillow's own readers: from Image.open where the head or the
    metadata are damaged, else from `load` and `verify`. Files that were cut are decoded, with a CutFileWarning,
    if ImageFile.LOAD_TRUNCATED_IMAGES is set."""

    format = FORMAT
    format_description = "nacre learned image"
    _bytes: FileBytes | None = None  # until the pixels are decoded

    def _open(self) -> None:
        assert self.fp is not None
        first = self.fp.tell()
        if not accept(self.fp.read(len(SIGNATURE))):
            raise SyntaxError("not a nacre file")
        with _errors_as_pillows():
            self._bytes = FileBytes(self.fp, first)  # type: ignore[arg-type]
            head, blocks = read_head(self._bytes), read_metadata(self._bytes)
        self._size = (head.width, head.height)
        self._mode = ("L", "LA", "RGB", "RGBA")[head.channels - 1]
        if head.bit_depth == 16 and head.channels == 1:
            self._mode = "I;16"
        self.info.update(metadata_info(blocks, head.orientation, head.colours))

    def load(self) -> Any:
        """Decode the pixels, once; as with other formats the file must be open until then."""
        if self._bytes is not None:
            if self.fp is None:
                raise ValueError("the file was closed before the image was loaded")
            with _errors_as_pillows():
                image = codec.decode(self._bytes, strict=not ImageFile.LOAD_TRUNCATED_IMAGES)
            self.im = image.im
            self._forget_file()
        return Image.Image.load(self)

    def verify(self) -> None:
        """Check the order and the CRC of every chunk, without decoding; raises OSError. Closes the file."""
        if self._bytes is None or self.fp is None:
            raise RuntimeError("verify must be called directly after Image.open")
        with _errors_as_pillows():
            Stream.from_bytes(self._bytes, may_be_cut=ImageFile.LOAD_TRUNCATED_IMAGES)
        self._forget_file()

    def _forget_file(self) -> None:
        self._bytes = None
        if self.fp is not None and getattr(self, "_exclusive_fp", False):
            self.fp.close()
        self.fp = None


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Writer; takes `quality`, `effort`, `lossless`, `exact`, `model`, `strip` of codec.encode, and `exif`,
    `icc_profile`, `xmp` as other formats do."""
    options = image.encoderinfo  # type: ignore[attr-defined]
    try:
        picture: Any = _with_blocks(to_picture(image), options)
        file.write(codec.encode(picture, **{k: options[k] for k in OPTIONS if k in options}))
    except NacreError as error:
        raise OSError(f"cannot write {filename!r} as {FORMAT}: {error}") from error


def _with_blocks(picture: Picture, options: dict[str, Any]) -> Picture:
    """With the metadata that `save` was given in place of the image's own."""
    given = {kind: options[key] for key, kind in BLOCKS.items() if key in options}
    if not given:
        return picture
    blocks = dict(picture.metadata)
    for kind, block in given.items():
        data = block.tobytes() if isinstance(block, Image.Exif) else block or b""
        data = data.encode() if isinstance(data, str) else data
        blocks[kind] = data.removeprefix(EXIF_PREFIX)
    orientation = picture.orientation
    if MetaKind.EXIF in given:
        orientation = shown_orientation(blocks, 1)
    channels = picture.pixels.shape[2]
    return Picture(
        picture.pixels, cleaned(blocks, orientation, channels), orientation, picture.alpha
    )


def register() -> None:
    """Tell Pillow; importing this module does it."""
    Image.register_open(FORMAT, NacreImageFile, accept)
    Image.register_save(FORMAT, save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)


register()

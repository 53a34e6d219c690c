"""A Pillow plugin: after importing this, Image.open and Image.save know .ncr files.

    import nacre.codec.pillow_plugin
    Image.open("photo.ncr"); image.save("photo.ncr", quality=60)

Opening reads the head alone; pixels are decoded when they are first needed.
"""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, ImageFile

from nacre import codec
from nacre.codec.chunks import SIGNATURE
from nacre.codec.container import Stream
from nacre.entropy.errors import NacreError

FORMAT, SUFFIX, MIME = "NACRE", ".ncr", "image/x-nacre"


def accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


class NacreImageFile(ImageFile.ImageFile):
    """Reader; damaged files raise OSError, as Pillow's own readers do, and cut ones unless
    ImageFile.LOAD_TRUNCATED_IMAGES is set."""

    format = FORMAT
    format_description = "nacre learned image"
    _data = b""  # the file, until its pixels are decoded

    def _open(self) -> None:
        assert self.fp is not None
        if not accept(self.fp.read(len(SIGNATURE))):
            raise SyntaxError("not a nacre file")
        self.fp.seek(0)
        self._data = self.fp.read()
        try:
            stream = Stream.from_bytes(self._data, may_be_cut=ImageFile.LOAD_TRUNCATED_IMAGES)
        except NacreError as error:
            raise OSError(str(error)) from error
        head = stream.head
        self._size = (head.width, head.height)
        self._mode = ("L", "LA", "RGB", "RGBA")[head.channels - 1]
        if head.bit_depth == 16 and head.channels == 1:
            self._mode = "I;16"
        from nacre.codec.pictures.colour import metadata_info

        blocks = {m.kind: m.data for m in stream.metadata}
        self.info.update(metadata_info(blocks, head.orientation, head.colours))

    def load(self) -> Any:
        if self._data:
            try:
                image = codec.decode(self._data, strict=not ImageFile.LOAD_TRUNCATED_IMAGES)
            except NacreError as error:
                raise OSError(str(error)) from error
            self.im = image.im
            self._data = b""
            if self.fp is not None and getattr(self, "_exclusive_fp", False):
                self.fp.close()
            self.fp = None
        return Image.Image.load(self)


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Writer; takes `quality`, `effort`, `lossless`, `exact`, `model`, `strip`, and `exif`, `icc_profile`,
    `xmp` as others do."""
    options = image.encoderinfo  # type: ignore[attr-defined]
    blocks = {key: options[key] for key in ("exif", "icc_profile", "xmp") if key in options}
    if blocks:
        image = (
            image.copy()
        )  # not without need: a copy has lost its file, and with it what only that says
    for key, block in blocks.items():
        image.info[key] = block.tobytes() if isinstance(block, Image.Exif) else block
    known = ("quality", "effort", "lossless", "exact", "model", "strip")
    try:
        file.write(codec.encode(image, **{k: options[k] for k in known if k in options}))
    except NacreError as error:
        raise OSError(f"cannot write {filename!r} as {FORMAT}: {error}") from error


def register() -> None:
    """Tell Pillow; importing this module does it."""
    Image.register_open(FORMAT, NacreImageFile, accept)
    Image.register_save(FORMAT, save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)


register()

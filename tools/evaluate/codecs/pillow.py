"""Codecs of Pillow and its plug-ins, in memory and in one thread."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import PIL
from PIL import Image, features

from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, CodecMissing, whole

SUBSAMPLINGS = ("444", "422", "420")  # in the order in which Pillow numbers them for JPEG


class PillowCodec(Codec):
    """A format that Image.save writes and Image.open reads."""

    format: str
    feature: str  # name in PIL.features

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        self._require()
        self.arguments(self.qualities[0])  # raises for a wrong option

    def _require(self) -> None:
        if not features.check(self.feature):
            raise CodecMissing(
                f"this Pillow ({PIL.__version__}) was built without {self.format}; "
                "its wheels have it: pip install --upgrade pillow"
            )

    @abstractmethod
    def arguments(self, quality: float) -> dict[str, Any]:
        """Return the arguments of Image.save, without the format."""

    @property
    def settings(self) -> str:
        shown = self.arguments(self.qualities[0])
        marked = {"quality": "Q", "quality_layers": "[Q]"}
        inside = ", ".join(f"{key}={marked.get(key, repr(value))}" for key, value in shown.items())
        return f"Pillow save({self.format!r}, {inside})"

    @property
    def version(self) -> str:
        library = features.version(self.feature)
        return f"Pillow {PIL.__version__}, {self.feature} {library}"

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        file = io.BytesIO()
        image.save(file, self.format, **self.arguments(quality))
        return file.getvalue()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with Image.open(io.BytesIO(data)) as image:
            if image.format not in (self.format, "HEIF"):
                raise CodecFailed(f"wrote {image.format}, not {self.format}")
            return image.convert("RGB")


class Jpeg(PillowCodec):
    """JPEG with optimised Huffman tables."""

    key, format, feature = "jpeg", "JPEG", "jpg"
    options = {"subsampling": "444", "optimize": "1"}
    qualities = (5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 96)

    def arguments(self, quality: float) -> dict[str, Any]:
        return {
            "quality": whole(quality),
            "subsampling": SUBSAMPLINGS.index(self.chosen_among("subsampling", SUBSAMPLINGS)),
            "optimize": bool(self.chosen_int("optimize")),
        }

    @property
    def label(self) -> str:
        return f"JPEG {_ratio(self.chosen['subsampling'])}"


class Webp(PillowCodec):
    """Lossy WebP, whose chroma is always 4:2:0."""

    key, format, feature = "webp", "WEBP", "webp"
    options = {"method": "6"}
    qualities = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)

    def arguments(self, quality: float) -> dict[str, Any]:
        return {"quality": whole(quality), "method": self.chosen_int("method")}

    @property
    def label(self) -> str:
        return "WebP 4:2:0"


class Jpeg2000(PillowCodec):
    """JPEG 2000 by OpenJPEG. The quality is the compression ratio: a file has 24 / quality bits per pixel."""

    key, format, feature = "jpeg2000", "JPEG2000", "jpg_2000"
    options = {"mct": "1"}
    qualities = (180, 120, 80, 60, 40, 30, 20, 15, 10, 7)

    def arguments(self, quality: float) -> dict[str, Any]:
        return {
            "irreversible": True,
            "mct": self.chosen_int("mct"),
            "quality_mode": "rates",
            "quality_layers": [quality],
            "no_jp2": True,
        }

    @property
    def label(self) -> str:
        return "JPEG 2000 4:4:4"


class Avif(PillowCodec):
    """AVIF by libaom with tune=psnr; the default of libaom, tuned for the eye, needs 8 % more bits by PSNR."""

    key, format, feature = "avif", "AVIF", "avif"
    options = {"tune": "psnr", "speed": "6", "subsampling": "444"}
    qualities = (10, 20, 30, 40, 50, 60, 70, 80, 88, 94)

    def arguments(self, quality: float) -> dict[str, Any]:
        return {
            "quality": whole(quality),
            "subsampling": _ratio(self.chosen_among("subsampling", SUBSAMPLINGS)),
            "speed": self.chosen_int("speed"),
            "codec": "aom",
            "max_threads": 1,
            "advanced": {"tune": self.chosen["tune"]},
        }

    @property
    def label(self) -> str:
        return f"AVIF {_ratio(self.chosen['subsampling'])} tune={self.chosen['tune']}"


class JpegXl(PillowCodec):
    """JPEG XL through pillow-jxl-plugin. The encoder is tuned for the eye and has no mode for PSNR."""

    key, format, feature = "jxl", "JXL", "jxl"
    options = {"effort": "7"}
    qualities = (5, 15, 30, 45, 60, 70, 80, 85, 90, 95)

    def _require(self) -> None:
        try:
            import pillow_jxl  # noqa: F401
        except ImportError as error:
            raise CodecMissing(f"pip install pillow-jxl-plugin ({error})") from error

    def arguments(self, quality: float) -> dict[str, Any]:
        return {
            "quality": whole(quality),
            "effort": self.chosen_int("effort"),
            "lossless": False,
            "lossless_jpeg": False,
            "num_threads": 1,
        }

    @property
    def label(self) -> str:
        return "JPEG XL"

    @property
    def version(self) -> str:
        from importlib.metadata import version

        return f"Pillow {PIL.__version__}, pillow-jxl-plugin {version('pillow-jxl-plugin')}"


class Heic(PillowCodec):
    """HEVC intra in HEIF by x265, through pillow-heif."""

    key, format, feature = "heic", "HEIF", "heif"
    options = {"subsampling": "444", "tune": "psnr", "preset": "slow"}
    qualities = (5, 15, 25, 35, 45, 55, 65, 75, 85, 92)

    def _require(self) -> None:
        try:
            import pillow_heif
        except ImportError as error:
            raise CodecMissing(f"pip install pillow-heif ({error})") from error
        if pillow_heif.libheif_info().get("HEIF", "") == "":
            raise CodecMissing("this pillow-heif has no HEVC encoder; its wheels on PyPI have one")
        pillow_heif.register_heif_opener(thumbnails=False)

    def arguments(self, quality: float) -> dict[str, Any]:
        return {
            "quality": whole(quality),
            "chroma": int(self.chosen_among("subsampling", SUBSAMPLINGS)),
            "tile_size": 0,
            "enc_params": {
                "preset": self.chosen["preset"],
                "tune": self.chosen["tune"],
            },
        }

    @property
    def label(self) -> str:
        return f"HEIC {_ratio(self.chosen['subsampling'])}"

    @property
    def version(self) -> str:
        import pillow_heif

        info = pillow_heif.libheif_info()
        return f"pillow-heif {pillow_heif.__version__}, libheif {info['libheif']}, {info['HEIF']}"


def _ratio(subsampling: str) -> str:
    return ":".join(subsampling)

"""What an evaluation asks of a codec, and how a codec is asked for by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from nacre.entropy.errors import NacreError, UsageError


class CodecMissing(NacreError):
    """The codec is not on this machine; the message says how to get it."""


class CodecFailed(NacreError):
    """The codec was asked and gave nothing that can be used."""


def pixels_alone(image: Image.Image) -> Image.Image:
    """Return the picture without ICC profile, EXIF, XMP, comment, resolution and transparency colour.

    Savers of Pillow write some of these unasked. A codec that strips them would win by their bytes.
    """
    if not image.info and not image.getexif():
        return image
    return Image.frombytes(image.mode, image.size, image.tobytes())


@dataclass(frozen=True)
class Stages:
    """Seconds and memory of a call as the codec itself measured them; None where it did not."""

    whole: float | None = None  # seconds without files, for a codec in another process
    entropy: float | None = None  # seconds of entropy coding, a part of the call
    peak_memory_mib: float | None = None  # resident size of the process that ran the codec


class Codec(ABC):
    """A codec with its settings fixed, all but one: the quality.

    Made by `create` from a name such as "avif" or "avif@tune=ssim,speed=4". An instance belongs to one
    process; the constructor raises CodecMissing where the codec is not installed.
    """

    key: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}  # what may follow the @, with defaults
    warms_up: ClassVar[bool] = False  # the first picture of a size is slower
    qualities: tuple[float, ...]  # what a sweep runs unless told otherwise, the worst first

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        self.name = name  # as it was asked for
        unknown = set(options) - set(self.options)
        if unknown:
            known = ", ".join(self.options) or "none"
            raise UsageError(f"{name}: no option {', '.join(sorted(unknown))}; there is {known}")
        self.chosen = {**self.options, **options}

    @property
    @abstractmethod
    def label(self) -> str:
        """For plots: "AVIF 4:4:4"."""

    @property
    @abstractmethod
    def settings(self) -> str:
        """Exactly what is called, with Q for the quality."""

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the program or library that does the work."""

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """Encode an RGB picture into a whole file. Metadata of the picture does not reach the file."""
        return self._encode(pixels_alone(image), quality)

    @abstractmethod
    def _encode(self, image: Image.Image, quality: float) -> bytes:
        """Encode an RGB picture that carries no metadata."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """An RGB picture of a file that `encode` made.

        `size` (width, height) is what players get from a container: bare video streams are padded.
        """

    def stages(self) -> Stages:
        """Of the last call of `encode` or `decode`."""
        return Stages()

    def chosen_int(self, option: str) -> int:
        try:
            return int(self.chosen[option])
        except ValueError:
            raise UsageError(
                f"{self.name}: {option} is {self.chosen[option]!r}, not a whole number"
            ) from None

    def chosen_among(self, option: str, allowed: tuple[str, ...]) -> str:
        if self.chosen[option] not in allowed:
            raise UsageError(
                f"{self.name}: {option} is {self.chosen[option]!r}, not one of {', '.join(allowed)}"
            )
        return self.chosen[option]


def whole(quality: float) -> int:
    """Codecs that know whole qualities alone get one."""
    if quality != round(quality):
        raise UsageError(f"quality {quality:g}: a whole number wanted")
    return round(quality)

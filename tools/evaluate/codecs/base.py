"""The interface of a codec in an evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from nacre.entropy.errors import NacreError, UsageError


class CodecMissing(NacreError):
    """The codec is not installed; the message says how to get it."""


class CodecFailed(NacreError):
    """The codec ran and gave no usable file or picture."""


def pixels_alone(image: Image.Image) -> Image.Image:
    """Return the picture without ICC profile, EXIF, XMP, comment, resolution and transparency colour.

    Pillow writes some of these without being asked. A codec that strips them would gain their bytes.
    """
    if not image.info and not image.getexif():
        return image
    return Image.frombytes(image.mode, image.size, image.tobytes())


@dataclass(frozen=True)
class Stages:
    """Seconds and memory of a call, measured by the codec itself; None where it measures nothing."""

    whole: float | None = None  # seconds without files, for a codec in another process
    entropy: float | None = None  # seconds of entropy coding, a part of the call
    peak_memory_mib: float | None = None  # resident size of the process that ran the codec


class Described(ABC):
    """A codec with all settings fixed but the quality, and how tables name it.

    An instance belongs to one process. The constructor raises CodecMissing where the codec is not installed,
    UsageError for options that do not exist.
    """

    key: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}  # allowed after the @, with defaults
    warms_up: ClassVar[bool] = False  # True: the first picture of a size takes longer
    qualities: tuple[float, ...]  # the default sweep, the worst first

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        self.name = name  # as requested
        unknown = set(options) - set(self.options)
        if unknown:
            known = ", ".join(self.options) or "none"
            raise UsageError(f"{name}: no option {', '.join(sorted(unknown))}; there is {known}")
        self.chosen = {**self.options, **options}

    @property
    @abstractmethod
    def label(self) -> str:
        """The name in tables and plots, such as "AVIF 4:4:4"."""

    @property
    @abstractmethod
    def settings(self) -> str:
        """The exact call or command line, with Q in place of the quality."""

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the program or library that codes; with `settings` it determines every file."""

    def chosen_int(self, option: str) -> int:
        """Return an option as a whole number. Raises UsageError when it is none."""
        try:
            return int(self.chosen[option])
        except ValueError:
            raise UsageError(
                f"{self.name}: {option} is {self.chosen[option]!r}, not a whole number"
            ) from None

    def chosen_among(self, option: str, allowed: tuple[str, ...]) -> str:
        """Return an option. Raises UsageError when it is not one of `allowed`."""
        if self.chosen[option] not in allowed:
            raise UsageError(
                f"{self.name}: {option} is {self.chosen[option]!r}, not one of {', '.join(allowed)}"
            )
        return self.chosen[option]


class Codec(Described):
    """A codec of pictures. `registry.create` makes one from a name such as "avif@tune=ssim,speed=4"."""

    def encode(self, image: Image.Image, quality: float) -> bytes:
        """Encode an RGB picture into a whole file. Metadata of the picture does not reach the file."""
        return self._encode(pixels_alone(image), quality)

    @abstractmethod
    def _encode(self, image: Image.Image, quality: float) -> bytes:
        """Encode an RGB picture that carries no metadata."""

    @abstractmethod
    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        """Decode a file of `encode` to an RGB picture.

        `size` is (width, height). Bare video streams are padded; players read the size from the container.
        """

    def stages(self) -> Stages:
        """Return the measurements of the codec for the last call of `encode` or `decode`."""
        return Stages()


def whole(quality: float) -> int:
    """Return a quality as a whole number. Raises UsageError when it is none."""
    if quality != round(quality):
        raise UsageError(f"quality {quality:g}: a whole number wanted")
    return round(quality)

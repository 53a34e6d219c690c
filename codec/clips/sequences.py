"""Numbered pictures as a clip: a folder of them, or a pattern such as frames/%05d.png."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from nacre.codec.clips.facts import (
    ClipFrame,
    ClipLength,
    ClipPacket,
    Pixels,
    Range,
    StreamFacts,
    VideoFacts,
    warn,
)
from nacre.codec.container import Limits
from nacre.codec.pictures.colour import Picture
from nacre.codec.pictures.reading import read_picture
from nacre.codec.pictures.turned import shown
from nacre.codec.pictures.writing import write_picture
from nacre.entropy.errors import ImageError, UsageError

RATE = Fraction(25)  # frames a second, where none is given
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm", ".npy"}
PATTERN = re.compile(r"%(0\d+)?d")


def is_pattern(path: str) -> bool:
    """Whether a path stands for numbered pictures."""
    return bool(PATTERN.search(os.path.basename(path)))


def names_of(path: str) -> list[str] | None:
    """The pictures of a folder or pattern in order; None for any other path. Raises ImageError."""
    if os.path.isdir(path):
        found = [name for name in os.listdir(path) if Path(name).suffix.lower() in SUFFIXES]
        names = [os.path.join(path, name) for name in sorted(found, key=_numbers_first)]
    elif is_pattern(path) and not os.path.exists(path):
        folder, pattern = os.path.split(path)
        before, after = PATTERN.split(pattern)[0], PATTERN.split(pattern)[-1]
        wanted = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
        found = [name for name in os.listdir(folder or ".") if wanted.fullmatch(name)]
        names = [os.path.join(folder, name) for name in sorted(found, key=_numbers_first)]
    else:
        return None
    if not names:
        raise ImageError("there are no pictures in it")
    return names


def _numbers_first(name: str) -> tuple[list[int], str]:
    """Sorts 2.png before 10.png."""
    return [int(number) for number in re.findall(r"\d+", name)], name


class PictureSequence:
    """Pictures of one size, shown at a constant rate."""

    streams: tuple[StreamFacts, ...] = ()

    def __init__(
        self, names: Sequence[str], rate: Fraction | None = None, limits: Limits = Limits()
    ) -> None:
        self._names, self._limits, self._rate = names, limits, rate or RATE
        pixels = self._read(names[0])
        height, width = pixels.shape[:2]
        name = "gbrp" if pixels.dtype == np.uint8 else "gbrp16le"
        self.facts = VideoFacts(
            width, height, 1 / self._rate, self._rate, Fraction(1), name, Range.FULL, 0, 1, 13
        )

    def close(self) -> None:
        """There is nothing to close."""

    def events(self) -> Iterator[ClipFrame | ClipPacket]:
        for i, name in enumerate(self._names):
            pixels = self._read(name)
            if pixels.shape[:2] != (self.facts.height, self.facts.width):
                raise ImageError(
                    f"{name} is {pixels.shape[1]}x{pixels.shape[0]}, the first picture is "
                    f"{self.facts.width}x{self.facts.height}"
                )
            yield ClipFrame(pixels, i, 1, self.facts.time_base)

    def length(self) -> ClipLength:
        return ClipLength(float(len(self._names) / self._rate), len(self._names), 0)

    def _read(self, name: str) -> Pixels:
        """(H, W, 3), turned as it is shown, without transparency."""
        try:
            picture = read_picture(name, limits=self._limits)
        except ImageError as error:
            raise ImageError(f"{name}: {error}") from error
        pixels: Pixels = shown(picture.pixels, picture.orientation)
        return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


class PictureSink:
    """Writes numbered pictures; times are not kept."""

    def __init__(self, pattern: str, facts: VideoFacts, streams: Sequence[StreamFacts]) -> None:
        if streams:
            raise UsageError("pictures hold no sound and no text: --no-audio --no-subtitles")
        if facts.chapters or facts.attachments:
            text = "pictures hold no chapters and no attached files: they are left out"
            warn(text)
        Path(pattern).parent.mkdir(parents=True, exist_ok=True)
        self._pattern, self._bits = pattern, 8 if facts.bits == 8 else 16
        self._count = 0

    def write(self, frame: ClipFrame) -> None:
        self._count += 1
        write_picture(Picture(frame.pixels), self._pattern % self._count)

    def write_packet(self, packet: ClipPacket) -> None:
        raise AssertionError

    def close(self) -> None:
        """There is nothing to close."""

"""The interface of a codec of clips in an evaluation."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nacre.codec.clips.writer import GOP
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.clips.reading import ClipInput, Planes, Samples
from nacre.tools.evaluate.codecs.base import Described


@dataclass(frozen=True)
class Conditions:
    """The settings that all codecs of a run share."""

    gop: int = GOP  # frames from one intra frame up to the next, at most
    threads: int = 1


@dataclass(frozen=True)
class CodedClip:
    """The results of encoding a clip, beside its file."""

    frame_bytes: Sequence[
        int
    ]  # of the packets of each frame, in the order in which frames are shown
    seconds: float  # without reading the source


class ClipCodec(Described):
    """A codec of clips. `registry.create` makes one from a name such as "x264-medium-lowdelay@tune=none"."""

    suffix: ClassVar[str]  # of its files

    def __init__(
        self, name: str, options: Mapping[str, str], parts: Sequence[str], conditions: Conditions
    ) -> None:
        """`parts` are the words of the name behind the key, such as ("medium", "lowdelay").

        Raises UsageError for parts that do not exist.
        """
        super().__init__(name, options)
        self.conditions = conditions
        if unknown := self._take_parts(parts):
            raise UsageError(
                f"{name}: {unknown!r} is no part of a name; there is {self.parts_known}"
            )

    @property
    @abstractmethod
    def parts_known(self) -> str:
        """The allowed words of a name, for messages."""

    @abstractmethod
    def _take_parts(self, parts: Sequence[str]) -> str | None:
        """Set options from the words of the name. Returns the first unknown word."""

    @abstractmethod
    def encode(self, clip: ClipInput, quality: float, path: Path) -> CodedClip:
        """Write a file. Raises CodecFailed."""

    @abstractmethod
    def decode(self, path: Path, clip: ClipInput) -> Iterator[Planes | Samples]:
        """The decoded frames of a file of `encode`: planes without conversion, or RGB. Raises CodecFailed."""


class Stopwatch:
    """Adds up the seconds of work that alternates with other work."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start

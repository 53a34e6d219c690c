"""The clips of a run: finds them among the inputs of a command, and reads their facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nacre.codec.clips.sequences import SUFFIXES as PICTURES
from nacre.codec.clips.sequences import is_pattern
from nacre.codec.clips.writer import GOP
from nacre.entropy.errors import NacreError, UsageError
from nacre.tools.clips import SOURCES
from nacre.tools.evaluate.clips.reading import ClipInput
from nacre.tools.evaluate.results import PictureFacts


@dataclass(frozen=True)
class ClipSet:
    """Clips of one run. Raises UsageError if two share a name."""

    clips: tuple[ClipInput, ...]
    gop: int = GOP  # frames from one intra frame up to the next, at most

    def __post_init__(self) -> None:
        names = [clip.name for clip in self.clips]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"two clips are called {twice}")

    @property
    def folder(self) -> Path:
        """The folder of the first clip; its name is the name of the data set."""
        path = Path(self.clips[0].path).parent
        return path.resolve().parent if is_pattern(self.clips[0].path) else path

    def named(self, name: str) -> ClipInput:
        return next(clip for clip in self.clips if clip.name == name)

    def facts(self, say: Callable[[str], None]) -> tuple[dict[str, PictureFacts], dict[str, str]]:
        """Read all clips: facts by name, and reasons by name of unreadable clips. Raises UsageError if none is
        readable.
        """
        readable, unreadable = {}, {}
        for clip in self.clips:
            try:
                readable[clip.name] = clip.facts_for_results()
            except (NacreError, OSError) as error:
                unreadable[clip.name] = str(error)
                say(f"{clip.name}: {error}: left out")
        if not readable:
            raise UsageError(f"none of {len(self.clips)} clips can be read")
        return readable, unreadable


def clip_paths(inputs: Sequence[str]) -> list[str]:
    """The clips among the inputs of a command; empty for inputs of pictures.

    A folder counts as clips if it holds clips and no pictures. Raises UsageError for a mixture.
    """
    found = {name: _clips_of(name) for name in inputs}
    if any(found.values()) and not all(found.values()):
        other = next(name for name, clips in found.items() if not clips)
        raise UsageError(f"clips and pictures in one command: {other} is no clip")
    return [clip for clips in found.values() for clip in clips]


def _clips_of(name: str) -> list[str]:
    if os.path.isdir(name):
        inside = [os.path.join(name, other) for other in sorted(os.listdir(name))]
        if any(Path(other).suffix.lower() in PICTURES for other in inside):
            return []
        return [other for other in inside if Path(other).suffix.lower() in SOURCES]
    return [name] if is_pattern(name) or Path(name).suffix.lower() in SOURCES else []

"""The list of repositories that photographs come from: licences, and which of their files count."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacre.entropy.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Source:
    """One repository of the recipe."""

    repository: str  # owner/name
    licence: str
    name: str = ""  # folder of its tiles in the shards
    take: tuple[str, ...] = ("*",)  # patterns of paths
    skip: tuple[str, ...] = ()  # patterns of paths
    leave_out: tuple[str, ...] = ()  # names of contents (at least 7 hex digits), rejected by eye
    revision: str | None = None  # of the history that is searched; else all branches and tags
    every: int = 1  # of the files of a series (overlapping views) only each so-manieth is taken
    per_folder: int | None = None  # at most so many of one folder (sizes and crops), largest first
    tiles: int | None = None  # at most, of one photograph

    @property
    def folder(self) -> str:
        return self.name or slug(self.repository.rpartition("/")[2], 24)


def read_recipe(path: Path) -> list[Source]:
    try:
        entries = tomllib.loads(path.read_text())["source"]
        lists = ("take", "skip", "leave_out")
        sources = []
        for entry in entries:
            fields: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in entry.items()}
            sources.append(Source(**fields))
    except (OSError, KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no list of [[source]] tables: {error}") from error
    folders = Counter(source.folder for source in sources)
    twice = [folder for folder, times in folders.items() if times > 1]
    if twice:
        raise UsageError(f"{path}: sources share the name {twice[0]}; give one of them a `name`")
    return sources


def slug(text: str, length: int) -> str:
    """A part of a file name: small letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-") or "photo"

"""Reads the recipe of a collection: repositories, their licences, and the files to take from them."""

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
    leave_out: tuple[
        str, ...
    ] = ()  # git hashes (7 hexadecimal digits or more) of files rejected by eye
    revision: str | None = None  # whose history is searched; None: all branches and tags
    every: int = 1  # take every n-th file, where files are series of overlapping views
    per_folder: int | None = None  # at most, largest first, where a folder has copies and crops
    tiles: int | None = None  # at most, of one photograph

    @property
    def folder(self) -> str:
        return self.name or slug(self.repository.rpartition("/")[2], 24)


def read_recipe(path: Path) -> list[Source]:
    """The sources in a TOML file. Raises UsageError."""
    try:
        entries = tomllib.loads(path.read_text())["source"]
        lists = ("take", "skip", "leave_out")
        sources = []
        for entry in entries:
            fields: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in entry.items()}
            sources.append(Source(**fields))
    except (OSError, KeyError, TypeError, AttributeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not a list of [[source]] tables: {error}") from error
    folders = Counter(source.folder for source in sources)
    twice = [folder for folder, times in folders.items() if times > 1]
    if twice:
        raise UsageError(f"{path}: sources share the name {twice[0]}; give one of them a `name`")
    return sources


def slug(text: str, length: int) -> str:
    """Text as a part of a file name: lower-case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-") or "photo"

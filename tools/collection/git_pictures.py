"""Picture files in the whole history of a git clone, one entry for each content."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from nacre.entropy.errors import UsageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif")


@dataclass(frozen=True)
class PictureFile:
    """One content in a history and a path that it had there."""

    blob: str  # git's name of the content, 40 hex digits
    path: str
    size_bytes: int


def find_clone(folder: Path, repository: str) -> Path:
    """The git directory of owner/name below `folder`: a normal or bare clone, owner+name or owner/name.

    Raises UsageError with the command that brings it when there is none.
    """
    names = (repository.replace("/", "+"), repository, repository + ".git")
    for name in names:
        for below in (".git", "", "repo/.git", "repo"):
            place = folder / name / below
            if (place / "objects").is_dir() and (place / "HEAD").is_file():
                return place
    raise UsageError(
        f"{folder} has no clone of {repository}: git clone --mirror https://github.com/{repository} "
        f"{folder / names[0]}"
    )


def picture_files(clone: Path, revision: str | None = None) -> list[PictureFile]:
    """Every picture file reachable from `revision`, or from all branches and tags; largest first.

    Pull requests do not count: what strangers proposed is not what the repository licenses.
    Contents that the clone lacks (partial and cut clones do) are left out.
    """
    starts = [revision] if revision else ["HEAD", "--branches", "--tags", "--remotes"]
    listed = _git(clone, "rev-list", "--objects", "--missing=allow-any", *starts)
    paths: dict[str, str] = {}
    for line in listed.decode("utf-8", "replace").splitlines():
        blob, _, path = line.partition(" ")
        if path.lower().endswith(SUFFIXES):
            paths.setdefault(blob, path)
    heads = _git(clone, "cat-file", "--batch-check", stdin="\n".join(paths).encode() + b"\n")
    found = []
    for line in heads.decode().splitlines():
        blob, kind, *size = line.split()
        if kind == "blob":
            found.append(PictureFile(blob, paths[blob], int(size[0])))
    return sorted(found, key=lambda file: (-file.size_bytes, file.blob))


def read(clone: Path, blob: str) -> bytes:
    return _git(clone, "cat-file", "blob", blob)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a shell pattern fits; `*` also crosses folders, and case does not count."""
    return any(fnmatch(path.lower(), pattern.lower()) for pattern in patterns)


def _git(clone: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}  # what is missing stays missing
    command = ["git", f"--git-dir={clone}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise UsageError(f"git {arguments[0]} failed in {clone}: {said[-1]}")
    return done.stdout

"""Finds the picture files in the whole history of a git clone; files of equal content are one entry."""

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
    """One blob of a history, and one of its paths there."""

    blob: str  # git's hash of the content, 40 hexadecimal digits
    path: str
    size_bytes: int


def find_clone(folder: Path, repository: str) -> Path:
    """The git directory of the clone of owner/name below `folder`, in owner+name or owner/name, bare or not.

    Raises UsageError with the command that makes a clone where there is none.
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

    Refs of pull requests are ignored: the licence of the repository does not cover them. Blobs that a partial
    clone lacks are left out.
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
    """The content of a blob. Raises UsageError."""
    return _git(clone, "cat-file", "blob", blob)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a shell pattern matches; `*` also matches slashes, and case is ignored."""
    return any(fnmatch(path.lower(), pattern.lower()) for pattern in patterns)


def _git(clone: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1"}  # a partial clone downloads nothing
    command = ["git", f"--git-dir={clone}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise UsageError(f"git {arguments[0]} failed in {clone}: {said[-1]}")
    return done.stdout

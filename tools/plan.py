"""Plans a batch: finds the inputs, names the output of each, refuses outputs that would overwrite an input."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nacre.codec.pictures.kinds import Kind, reason
from nacre.entropy.errors import UsageError
from nacre.tools import streams
from nacre.tools.streams import STREAM

NOTHING = (0, 0)  # the identity of no file
NAMED = 3  # names in a message; further names are counted

Judge = Callable[[str], Kind]


@dataclass(frozen=True)
class Job:
    """One input and its output; either may be a STREAM. A job with a `problem` fails with that message."""

    source: str
    target: str
    problem: str = ""


@dataclass
class Found:
    """The inputs with their paths below the named folders; unreadable inputs; notes on skipped files."""

    files: list[tuple[str, Path]] = field(default_factory=list)
    problems: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_one: bool = False  # a single file was named, and no folder


def by_suffix(suffixes: Iterable[str]) -> Judge:
    """A judge that takes files by their suffix, and ignores others without a note."""
    known = {suffix.lower() for suffix in suffixes}
    return lambda path: Kind.TAKEN if Path(path).suffix.lower() in known else Kind.BESIDE


def few(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    more = len(names) - NAMED
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:NAMED])} and {more} more"


def find(inputs: Sequence[str], judge: Judge) -> Found:
    """Find every named file, and the files in named folders that `judge` takes, in a fixed order.

    Raises UsageError if there is none.
    """
    names = [streams.as_stream(name, 0) for name in inputs]
    found = Found(is_one=len(names) == 1 and not os.path.isdir(names[0]))
    if STREAM in names and len(names) > 1:
        raise UsageError("stdin cannot be mixed with other inputs")
    for name in names:
        if name != STREAM and os.path.isdir(name):
            _search(name, judge, found)
        else:
            found.files.append((name, Path(os.path.basename(name))))
    if not found.files and not found.problems:
        raise UsageError("; ".join(found.notes))
    return found


def _search(folder: str, judge: Judge, found: Found) -> None:
    """Add the files in a folder and below it."""
    kinds: dict[Kind, list[str]] = {kind: [] for kind in Kind}
    before = len(found.files)
    for path in _walk(folder, kinds, found):
        kind = judge(path) if os.path.isfile(path) or os.path.islink(path) else Kind.BESIDE
        kinds[kind].append(os.path.relpath(path, folder))
        if kind == Kind.TAKEN:
            found.files.append((path, Path(os.path.relpath(path, folder))))
    unread = kinds[Kind.UNREADABLE]
    if unread:
        found.problems.append(Job(folder, "", _unread(unread)))
    for kind, text in ((Kind.OTHER, "no pictures"), (Kind.HIDDEN, "hidden")):
        if kinds[kind]:
            found.notes.append(f"{folder}: left out as {text}: {few(kinds[kind])}")
    if len(found.files) == before and not unread:
        found.notes.insert(0, f"{folder}: no file in this folder can be read here")


def _walk(folder: str, kinds: dict[Kind, list[str]], found: Found) -> Iterator[str]:
    """Yield the files in a folder and below it. Links to folders are not followed: they may form a cycle."""

    def refused(error: OSError) -> None:
        found.problems.append(Job(str(error.filename), "", error.strerror or str(error)))

    for place, folders, files in os.walk(folder, onerror=refused):
        for name in list(folders):
            path = os.path.join(place, name)
            if name.startswith("."):
                kinds[Kind.HIDDEN].append(os.path.relpath(path, folder) + "/")
                folders.remove(name)
            elif os.path.islink(path):
                found.notes.append(f"{path}: a link to a folder, which is not followed")
        folders.sort()
        yield from (os.path.join(place, name) for name in sorted(files))


def _unread(names: Sequence[str]) -> str:
    """The number of unreadable pictures, some of their names, and the remedy."""
    suffixes = Counter(os.path.splitext(name)[1].lower() for name in names)
    helps = dict.fromkeys(filter(None, (reason(suffix) for suffix, _ in suffixes.most_common())))
    noun = "picture" if len(names) == 1 else "pictures"
    because = f" ({'; '.join(helps)})" if helps else ""
    return f"{len(names)} {noun} cannot be read here: {few(names)}{because}"


def pair(
    found: Found, output: str | None, suffix: str, others: Iterable[str], keep_suffix: bool = False
) -> list[Job]:
    """Name an output for every file: its name with `suffix`, beside it or below the folder `output`.

    `others` are suffixes of other kinds of files, which an output must not have. With `keep_suffix` the new
    suffix is appended to the name of the input. Raises UsageError if two inputs would write one file or one
    stream, or an output is also an input.
    """
    target = None if output is None else streams.as_stream(output, 1)
    jobs = _pair(found, target, suffix, keep_suffix)
    refuse_clashes(jobs)
    refuse_overwriting(jobs, (source for source, _ in found.files))
    if found.is_one and jobs[0].target != STREAM:
        named = os.path.splitext(jobs[0].target)[1].lower()
        if named in {other.lower() for other in others} - {suffix}:
            raise UsageError(
                f"{jobs[0].target}: what is written there is no {named} but a {suffix} file"
            )
    return jobs + found.problems


def _pair(found: Found, output: str | None, suffix: str, keep_suffix: bool) -> list[Job]:
    is_file = (
        output is not None and output != STREAM and os.path.isfile(output.rstrip("/" + os.sep))
    )
    is_folder = output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))
    if found.is_one and not is_folder:
        source = found.files[0][0]
        if output is not None or streams.is_passing(source):
            return [Job(source, output or STREAM)]
    if output == STREAM:
        raise UsageError("several files cannot go to one stdout")
    if is_file:
        raise UsageError(f"{output} is a file; several outputs need a folder")
    jobs = []
    for source, relative in found.files:
        folder = Path(source).parent if output is None else Path(output) / relative.parent
        stem = relative.name if keep_suffix else relative.stem
        jobs.append(Job(source, str(folder / (stem + suffix))))
    return jobs


def refuse_clashes(jobs: Sequence[Job]) -> None:
    """Raise UsageError if two jobs would write one file."""
    folders: dict[str, str] = {}
    taken: dict[str, str] = {}
    clashes: list[tuple[str, Job]] = []
    for job in jobs:
        if streams.is_passing(job.target):
            continue
        place = _place(job.target, folders)
        if place in taken:
            clashes.append((taken[place], job))
        taken[place] = job.source
    if clashes:
        raise UsageError(_clash(*clashes[0], len(clashes) - 1))


def _place(path: str, folders: dict[str, str]) -> str:
    """The real path of a file; in lower case on systems that ignore the case of names."""
    folder, name = os.path.split(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    place = os.path.join(folders[folder], name)
    place = os.path.realpath(place) if os.path.islink(place) else place
    return place.casefold() if sys.platform in ("win32", "darwin") else place


def _clash(first: str, job: Job, more: int) -> str:
    also = f", and {more} more do so" if more else ""
    remedy = ""
    if Path(first).suffix != Path(job.source).suffix:
        remedy = f"; --keep-suffix gives {Path(first).name}{Path(job.target).suffix} and so on"
    return f"{first} and {job.source} would both write {job.target}{also}{remedy}"


def refuse_overwriting(jobs: Sequence[Job], read: Iterable[str]) -> None:
    """Raise UsageError if a job would write a file in `read`, also under another name."""
    inputs = {identity: name for name in read if (identity := _identity(name)) is not None}
    for job in jobs:
        name = None if job.target == STREAM else inputs.get(_identity(job.target) or NOTHING)
        if name is not None:
            same = "" if name == job.target else f" is {job.target} by another name, and"
            raise UsageError(f"{name}{same} is an input: it would be overwritten")


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode, equal for all names and links of a file; None if it is no regular file."""
    try:
        found = os.fstat(sys.stdin.fileno()) if path == STREAM else os.stat(path)
    except (OSError, ValueError, AttributeError):  # standard input may be closed, or no file
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None

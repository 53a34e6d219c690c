"""Input and output of bytes: files (written whole or not at all), standard streams, pipes, /dev/fd."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from nacre.codec.chunks import FileBytes
from nacre.entropy.errors import NacreError, UsageError

STREAM = "-"  # standard input or output
STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def descriptor(name: str) -> int | None:
    """The file descriptor of a name such as /dev/stdout or /dev/fd/63, or None."""
    found = DESCRIPTOR.fullmatch(name)
    return int(found[1]) if found else STANDARD.get(name)


def as_stream(name: str, number: int) -> str:
    """STREAM where the name is one of descriptor `number` (0 is standard input, 1 is output), else the name."""
    return STREAM if descriptor(name) == number else name


def is_passing(name: str) -> bool:
    """Whether a name is a stream, a pipe or a device, which a renamed file cannot replace."""
    if name == STREAM or descriptor(name) is not None:
        return True
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def read_input(name: str) -> bytes:
    if name == STREAM:
        if sys.stdin is None:
            raise NacreError("standard input is closed")
        return sys.stdin.buffer.read()
    number = descriptor(name)
    if number is None:
        return Path(name).read_bytes()
    # Opening the name again would read from the beginning, or fail if only this process has the descriptor.
    with os.fdopen(os.dup(number), "rb") as file:
        return file.read()


@contextmanager
def opened_input(name: str) -> Iterator[bytes | FileBytes]:
    """Yield the bytes of a file, read from disk on access; a stream or a device is read at once."""
    if is_passing(name):
        yield read_input(name)
        return
    with open(name, "rb") as file:
        yield FileBytes(file)


def file_or_path(name: str) -> str | BinaryIO:
    """The path of a file; the content of a stream or a device as a file in memory."""
    return BytesIO(read_input(name)) if is_passing(name) else name


def refuse_existing(name: str, force: bool) -> None:
    """Raise NacreError for an existing output, and UsageError for a terminal, unless `force` is set."""
    if force:
        return
    if name == STREAM:
        if sys.stdout is not None and sys.stdout.isatty():
            raise UsageError("a terminal cannot show it: give a file with -o, or --force")
    elif not is_passing(name) and os.path.exists(name):
        raise NacreError(f"{name} exists; --force overwrites it")


def write_output(name: str, data: bytes, force: bool) -> None:
    """Write a file whole or not at all: under a temporary name, which is then renamed."""
    if name == STREAM:
        if sys.stdout is None:
            raise NacreError("standard output is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with partial_output(name, force) as partial, _opened(partial) as file:
        file.write(data)
        file.flush()
        if partial.is_file() and descriptor(name) is None:  # not a device
            os.fsync(file.fileno())


def _opened(path: Path) -> BinaryIO:
    number = descriptor(str(path))
    return open(path, "wb") if number is None else os.fdopen(os.dup(number), "wb")


@contextmanager
def partial_output(name: str, force: bool) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `name` at the end, and removed after an error.

    Raises NacreError with `name` if the system refuses.
    """
    refuse_existing(name, force)
    try:
        if is_passing(name):  # nothing to replace
            yield Path(name)
            return
        with _replacing(
            Path(name).resolve()
        ) as partial:  # a link stays; the file that it names is replaced
            yield partial
    except OSError as error:
        raise NacreError(f"cannot write {name}: {error.strerror or error}") from error


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    # A short name: the name of the target with a suffix could be longer than the system allows.
    handle, partial = tempfile.mkstemp(prefix=".nacre.", suffix=".part", dir=target.parent)
    os.close(handle)
    try:
        yield Path(partial)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise

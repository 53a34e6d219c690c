"""Shards of a data set while they are written: tar files, and a journal from which a killed run is resumed.

A sample is written to its shard before the journal. A resumed run keeps the samples of the journal and cuts the
last shard after them; the final bytes equal those of an uninterrupted run.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal

import msgspec
from msgspec import Struct

from nacre.datasets.latents.coding import CodedSample
from nacre.datasets.latents.index import (
    BadPicture,
    Label,
    ModelFacts,
    Preparation,
    SampleRow,
)
from nacre.entropy.errors import UsageError

JOURNAL = "journal.jsonl"
PART = ".part"
MEMBER = ".ncr"
BLOCK = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK)


class PackingJob(Struct, frozen=True, tag="job", tag_field="kind"):
    """The first line of the journal: the settings that a resumed run must have."""

    model: ModelFacts
    preparation: Preparation
    shard_size: int
    format: Literal["nacre packing 1"] = "nacre packing 1"


class Packed(Struct, frozen=True, gc=False, tag="sample", tag_field="kind"):
    """A sample that lies in a shard."""

    key: str
    label: Label
    shard: int
    offset: int
    size: int
    crc32: int
    picture: tuple[int, int]
    latent: tuple[int, int, int]
    largest: dict[str, int]

    def row(self, label: int | None) -> SampleRow:
        return SampleRow(
            self.key, self.shard, self.offset, self.size, label, self.picture, self.latent
        )


class Refused(Struct, frozen=True, gc=False, tag="bad", tag_field="kind"):
    """A picture that could not be packed."""

    key: str
    error: str


Line = PackingJob | Packed | Refused
LINES: Final = msgspec.json.Decoder(Line)


def shard_name(number: int) -> str:
    return f"shard-{number:05}.tar"


@dataclass
class _OpenShard:
    number: int
    file: BinaryIO
    size: int  # of its members


class SampleShards:
    """Writes samples in order into the shards of a folder; continues after the last sample of an earlier run.

    Raises UsageError if the folder holds other files, or another process writes to it.
    """

    def __init__(self, folder: Path, job: PackingJob) -> None:
        self._folder, self._job = folder, job
        self.lines: list[Packed | Refused] = []  # in the order of the input
        self._open: _OpenShard | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._refuse_others()
        self._journal = (folder / JOURNAL).open("ab")
        try:
            _lock(self._journal, folder)
            self._resume()
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> SampleShards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()
        if self._open is not None:
            self._open.file.close()

    def add(self, key: str, label: Label, found: CodedSample | BadPicture) -> None:
        """Append a sample; it survives a kill when the call returns."""
        if isinstance(found, BadPicture):
            self._note(Refused(key, found.error))
            return
        head = _header(key, len(found.data))
        padding = bytes(-len(found.data) % BLOCK)
        whole = len(head) + len(found.data) + len(padding)
        shard = self._with_room(whole)
        offset = shard.size + len(head)
        shard.file.write(head + found.data + padding)
        shard.file.flush()
        shard.size += whole
        self._note(
            Packed(
                key, label, shard.number, offset, len(found.data), found.crc32,
                found.picture, found.latent, found.largest,
            )
        )  # fmt: skip

    def finish(self) -> list[str]:
        """Close the last shard; returns the names of all shards."""
        self._close_shard()
        count = max((line.shard for line in self.lines if isinstance(line, Packed)), default=-1) + 1
        return [shard_name(number) for number in range(count)]

    def forget(self) -> None:
        """Remove the journal, which the index replaces."""
        (self._folder / JOURNAL).unlink(missing_ok=True)

    def _note(self, line: Packed | Refused) -> None:
        self._journal.write(msgspec.json.encode(line) + b"\n")
        self._journal.flush()
        self.lines.append(line)

    def _with_room(self, whole: int) -> _OpenShard:
        """The open shard, or a new one where the open one has no room for `whole` bytes."""
        shard = self._open
        most = self._job.shard_size - len(END_OF_TAR)
        if shard is not None and shard.size and shard.size + whole > most:
            self._close_shard()
            shard = None
        if shard is None:
            last = next(
                (line.shard for line in reversed(self.lines) if isinstance(line, Packed)), -1
            )
            path = self._folder / (shard_name(last + 1) + PART)
            self._open = shard = _OpenShard(last + 1, path.open("wb"), 0)
        return shard

    def _close_shard(self) -> None:
        shard, self._open = self._open, None
        if shard is None:
            return
        with shard.file as file:
            file.write(END_OF_TAR)
            file.flush()
            os.fsync(file.fileno())
        os.fsync(self._journal.fileno())
        name = shard_name(shard.number)
        os.replace(self._folder / (name + PART), self._folder / name)

    def _refuse_others(self) -> None:
        if (self._folder / JOURNAL).exists():
            return
        others = sorted(path.name for path in self._folder.iterdir())
        if others:
            raise UsageError(f"{self._folder} is not empty: {others[0]}")

    def _resume(self) -> None:
        path = self._folder / JOURNAL
        lines, size = read_journal(path)
        if lines and lines[0] != self._job:
            raise UsageError(
                f"{self._folder} holds a run with other options or another model: remove it, "
                "or give another folder"
            )
        kept = self._whole_lines(lines[1:])
        if len(kept) < len(lines) - 1:
            size = sum(len(msgspec.json.encode(line)) + 1 for line in (self._job, *kept))
        self._journal.truncate(size)
        if not lines:
            self._journal.write(msgspec.json.encode(self._job) + b"\n")
            self._journal.flush()
        self.lines = kept

    def _whole_lines(self, lines: list[Line]) -> list[Packed | Refused]:
        """The lines before the first sample that is not whole in its shard; opens the last shard after them."""
        rows = [line for line in lines if not isinstance(line, PackingJob)]
        last = max((line.shard for line in rows if isinstance(line, Packed)), default=-1)
        for number in range(last):
            if not (self._folder / shard_name(number)).is_file():
                raise UsageError(f"{self._folder}: {shard_name(number)} is missing")
        if last < 0:
            return rows
        full = self._folder / shard_name(last)
        partial = self._folder / (shard_name(last) + PART)
        if full.is_file():  # the run was killed after it closed this shard
            os.replace(full, partial)
        file = partial.open("r+b") if partial.is_file() else partial.open("w+b")
        kept: list[Packed | Refused] = []
        end = 0
        for line in rows:
            if isinstance(line, Packed) and line.shard == last:
                file.seek(line.offset)
                # The CRC finds bytes lost in a power failure; a kill loses none.
                if zlib.crc32(file.read(line.size)) != line.crc32:
                    break
                end = line.offset + line.size + -line.size % BLOCK
            kept.append(line)
        file.truncate(end)
        file.seek(end)
        if end:
            self._open = _OpenShard(last, file, end)
        else:
            file.close()
        return kept


def read_journal(path: Path) -> tuple[list[Line], int]:
    """The whole lines of a journal, and their bytes; the last one may have been cut. Raises UsageError."""
    data = path.read_bytes()
    lines: list[Line] = []
    size = 0
    for number, text in enumerate(data.splitlines(keepends=True), 1):
        if not text.endswith(b"\n"):
            break
        try:
            lines.append(LINES.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}, line {number}: {error}") from error
        size += len(text)
    if lines and not isinstance(lines[0], PackingJob):
        raise UsageError(f"{path}: its first line describes no run")
    return lines, size


def _header(key: str, size: int) -> bytes:
    info = tarfile.TarInfo(key + MEMBER)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


def _lock(file: BinaryIO, folder: Path) -> None:
    """Lock out other processes until this process ends. No lock on Windows."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"{folder}: another process packs into it") from error
    except OSError:  # a file system without locks
        return

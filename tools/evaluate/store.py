"""Measurements in a JSON Lines file: appended one by one, never rewritten, found by codec setup and content.

The first line names the format. A line "setup" describes a codec and its conditions; a line "row" names its
setup by id. An id is a hash of the setup, so that files can be joined with `cat`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.results import CodecResult, Evaluation, Failure, Machine, Row

FORMAT: Final = "nacre measurements 1"
SUFFIX = ".jsonl"
ID_DIGITS = 12  # hexadecimal digits that an id keeps of its SHA-256


class StoreStart(Struct, frozen=True, tag="head", tag_field="kind"):
    """The first line."""

    format: Literal["nacre measurements 1"] = FORMAT


class Setup(Struct, frozen=True, tag="setup", tag_field="kind"):
    """Everything beside picture and quality that determines a row."""

    id: str  # hash of all other fields except the name
    codec: str
    name: str  # in tables
    settings: str
    version: str
    timed: bool
    threads: int
    machine: str  # determines seconds; empty for rows without seconds

    @classmethod
    def of(cls, codec: CodecResult, machine: Machine) -> Setup:
        where = f"{machine.processor}, {machine.cores} cores, {machine.system}"
        own = cls(
            id="",
            codec=codec.codec,
            name="",
            settings=codec.settings,
            version=codec.version,
            timed=machine.timed,
            threads=machine.threads,
            machine=where if machine.timed else "",
        )
        digest = hashlib.sha256(msgspec.json.encode(own)).hexdigest()
        return replace(own, id=digest[:ID_DIGITS], name=codec.name)


class StoredRow(Struct, frozen=True, tag="row", tag_field="kind"):
    """A row of a picture file."""

    setup: str  # id
    dataset: str
    content: str  # SHA-256 of the picture file
    row: Row


class Failed(Struct, frozen=True, tag="failure", tag_field="kind"):
    """A failure. It is kept for the record; the next run tries again."""

    setup: str  # id
    dataset: str
    content: str
    failure: Failure


Line = StoreStart | Setup | StoredRow | Failed
DECODER = msgspec.json.Decoder(Line)
FIRST_LINE = msgspec.json.encode(StoreStart()) + b"\n"


class Store:
    """Measurements of a file and of this run; without a file, of this run alone.

    Drops a last line that was cut by a kill. Raises UsageError, naming file, line and field, for any other
    content.
    """

    def __init__(self, path: Path | None) -> None:
        self._setups: dict[str, Setup] = {}
        self._rows: dict[tuple[str, str, float], Row] = {}  # by setup, content and quality
        lines: Sequence[Line] = ()
        whole = b""
        if path is not None and path.exists():
            lines, whole = _parse(path)
        self._file = io.BytesIO() if path is None else _open(path, len(whole))
        for line in lines:
            self._take(line)
        if not lines:
            self._append(StoreStart())
        elif not whole.endswith(b"\n"):
            self._file.write(b"\n")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def find(self, setup: Setup, content: str, quality: float) -> Row | None:
        """Return the row of a picture file with SHA-256 `content`."""
        return self._rows.get((setup.id, content, quality))

    def setups_of(self, codec: str) -> list[Setup]:
        """Return the setups in which a codec was measured, the latest last."""
        return [setup for setup in self._setups.values() if setup.codec == codec]

    def add(self, setup: Setup, dataset: str, content: str, found: Row | Failure) -> None:
        """Append a result; it is in the file when the call returns."""
        if setup.id not in self._setups:
            self._append(setup)
        if isinstance(found, Row):
            self._append(StoredRow(setup.id, dataset, content, found))
        else:
            self._append(Failed(setup.id, dataset, content, found))

    def take_up(self, old: Evaluation) -> None:
        """Append the rows of a summary file that are not here yet."""
        for codec in old.codecs:
            for row in codec.rows:
                timed = row.encode_seconds is not None
                threads = old.machine.threads if timed or old.machine.jobs == 1 else 1
                setup = Setup.of(codec, replace(old.machine, timed=timed, threads=threads))
                picture = old.pictures.get(row.picture)
                if picture and self.find(setup, picture.sha256, row.quality) is None:
                    self.add(setup, old.dataset, picture.sha256, row)

    def _append(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        self._take(line)

    def _take(self, line: Line) -> None:
        if isinstance(line, Setup):
            self._setups[line.id] = line
        elif isinstance(line, StoredRow):
            self._rows[line.setup, line.content, line.row.quality] = line.row


def read_codecs(path: Path) -> dict[str, tuple[str, CodecResult]]:
    """Return data set and rows of each codec in a file, by the codec as requested.

    If a codec has several setups or data sets, its last row selects one. Raises UsageError.
    """
    lines, _ = _parse(path)
    setups = {line.id: line for line in lines if isinstance(line, Setup)}
    rows = [line for line in lines if isinstance(line, StoredRow)]
    orphan = next((line.setup for line in rows if line.setup not in setups), None)
    if orphan is not None:
        raise UsageError(f"{path}: a row names setup {orphan!r}, which no line describes")
    last = {setups[line.setup].codec: (line.setup, line.dataset) for line in rows}
    found = {}
    for codec, (setup, dataset) in last.items():
        own = {
            (line.row.picture, line.row.quality): line.row
            for line in rows
            if (line.setup, line.dataset) == (setup, dataset)
        }
        facts = setups[setup]
        found[codec] = (
            dataset,
            CodecResult(codec, facts.name, facts.settings, facts.version, list(own.values())),
        )
    return found


def _parse(path: Path) -> tuple[Sequence[Line], bytes]:
    """Return the lines of a file and their bytes, without a last line that was cut."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if FIRST_LINE.startswith(data) and data != FIRST_LINE:
        return (), b""
    lines: list[Line] = []
    at = 0
    for number, text in enumerate(data.splitlines(keepends=True), 1):
        try:
            lines.append(DECODER.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if lines and not text.endswith(b"\n"):
                break  # a line and its end are written at once
            raise UsageError(f"{path}, line {number}: {error}") from error
        at += len(text)
    if not isinstance(lines[0], StoreStart):
        raise UsageError(f"{path}: its first line does not say {FORMAT!r}")
    return lines, data[:at]


def _open(path: Path, size: int) -> BinaryIO:
    """Open a file for appending after its first `size` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    file.truncate(size)
    return file

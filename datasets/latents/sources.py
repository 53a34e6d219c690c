"""The pictures to pack into a data set: from a folder, tar shards, or a sequence in memory."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nacre.datasets.latents.index import Label
from nacre.datasets.pictures import picture_suffixes
from nacre.entropy.errors import UsageError

TAR = ".tar"


@dataclass(frozen=True)
class TarPart:
    """A range of bytes in a tar file."""

    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class Item:
    """A picture to pack; it takes little memory if `picture` is a path or a part of a tar file."""

    key: str
    label: Label
    picture: Any  # a path, a TarPart, bytes of a file, or another input of `codec.encode`

    def loaded(self) -> Any:
        """The bytes of its file, or the picture itself. Raises OSError."""
        if isinstance(self.picture, TarPart):
            return self.picture.read()
        if isinstance(self.picture, (str, os.PathLike)):
            return Path(self.picture).read_bytes()
        return self.picture


def items_of(sources: Sequence[str | Path], labels: str | Path | None = None) -> list[Item]:
    """The pictures of a folder, or of tar files (WebDataset), in their order.

    Labels of a folder are the names of its sub-folders, or come from a CSV file; keys are paths without a
    suffix. A folder may also hold tar files. Raises UsageError if there are no pictures.
    """
    sources = [os.path.abspath(source) for source in sources]  # other processes read them
    tars = _tars(sources)
    if tars and labels is not None:
        raise UsageError(
            "--labels is for folders: the labels of tar files are in their .cls or .json"
        )
    if tars:
        found = [
            item for path in tars for item in _of_tar(path, f"{path.stem}/" if tars[1:] else "")
        ]
    elif len(sources) > 1:
        raise UsageError("one folder, or tar files, wanted")
    elif labels is not None:
        found = list(_of_csv(Path(sources[0]), Path(labels)))
    else:
        found = list(_of_folder(Path(sources[0])))
    if not found:
        raise UsageError(f"no pictures in {', '.join(map(str, sources))}")
    return found


def items_from(samples: Iterable[tuple[str, Any, Label]]) -> Iterator[Item]:
    """Items from (key, picture, label). Raises UsageError for a key that is no relative path, or repeated."""
    seen = set()
    for key, picture, label in samples:
        parts = PurePosixPath(key).parts if isinstance(key, str) else ()
        is_bad = not parts or parts[0] == "/" or ".." in parts or not key.isprintable()
        if is_bad or key != str(PurePosixPath(key)):
            raise UsageError(f"key {key!r}: a relative path wanted")
        if key in seen:
            raise UsageError(f"key {key!r} is there twice")
        if not (label is None or isinstance(label, str)):
            label = int(label)
        seen.add(key)
        yield Item(key, label, picture)


def _tars(sources: Sequence[str | Path]) -> list[Path]:
    """The tar files in `sources`; for a single folder, the tar files in it."""
    paths = [Path(source) for source in sources]
    for path in paths:
        if not path.exists():
            raise UsageError(f"no folder or tar file {path}")
    if len(paths) == 1 and paths[0].is_dir():
        return sorted(p for p in paths[0].iterdir() if p.suffix.lower() == TAR and p.is_file())
    return [path for path in paths if path.suffix.lower() == TAR and path.is_file()]


def _of_folder(folder: Path) -> Iterator[Item]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder or tar file")
    known = picture_suffixes()
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in known and p.is_file())
    names = [_name(path.relative_to(folder)) for path in paths]
    for path, key in zip(paths, _keys(names), strict=True):
        below = key.split("/")
        yield Item(key, below[0] if len(below) > 1 else None, str(path))


def _of_csv(folder: Path, table: Path) -> Iterator[Item]:
    """The pictures that a CSV file lists, in its order, with whole numbers or names as labels."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table}: {getattr(error, 'strerror', None) or error}") from error
    if rows and [cell.strip().lower() for cell in rows[0][:2]] == ["path", "label"]:
        del rows[0]
    short = next((number for number, row in enumerate(rows, 1) if len(row) < 2), None)
    if short is not None:
        raise UsageError(f"{table}, row {short}: a path and a label wanted")
    names = [PurePosixPath(os.path.normpath(row[0].strip())).as_posix() for row in rows]
    outside = next((name for name in names if name.startswith(("..", "/"))), None)
    if outside is not None:
        raise UsageError(f"{table}: {outside} is not inside {folder}")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"{table}: {repeated[0]} is there twice")
    for row, name, key in zip(rows, names, _keys(names), strict=True):
        yield Item(key, _label(row[1].strip()), str(folder / name))


def _of_tar(path: Path, prefix: str) -> Iterator[Item]:
    """Pictures of a WebDataset shard: members whose names differ only in the suffix form a sample.

    A name ends at the first dot behind its last slash. The label is in NAME.cls, or in NAME.json as "label",
    "cls" or "class".
    """
    pictures: dict[str, tuple[str, TarPart]] = {}
    labels: dict[str, Label] = {}
    known = picture_suffixes()
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                key, suffix = f"{folder}/{stem}" if folder else stem, suffix.lower()
                if not member.isfile() or not stem:
                    continue
                if f".{suffix}" in known:
                    part = TarPart(str(path), member.offset_data, member.size)
                    pictures.setdefault(key, (member.name, part))
                elif suffix in ("cls", "json"):
                    content = tar.extractfile(member)
                    assert content is not None
                    found = _label_in(content.read(), suffix)
                    if suffix == "cls" or key not in labels:
                        labels[key] = found
            file = tar.fileobj
            assert file is not None
            file.seek(tar.offset)
            # tarfile reads a damaged header as the end of the archive; a true end is a block of zeros.
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"damaged or cut at byte {tar.offset}")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UsageError(f"{path} is not a whole tar file: {error}") from error
    for key, (_, part) in pictures.items():
        yield Item(prefix + _clean(key), labels.get(key), part)


def _label_in(data: bytes, suffix: str) -> Label:
    text = data.decode("utf-8", "replace").strip()
    if suffix == "cls":
        return _label(text)
    try:
        found = json.loads(text)
    except ValueError:
        return None
    value = (
        next((found[k] for k in ("label", "cls", "class") if k in found), None)
        if isinstance(found, dict)
        else None
    )
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _label(text: str) -> Label:
    """A whole number if the text is one, else a name; None for an empty text."""
    try:
        return int(text)
    except ValueError:
        return text or None


def _name(path: Path) -> str:
    return _clean(path.as_posix())


def _clean(name: str) -> str:
    """The name in printable Unicode; bytes of a file name that are not UTF-8 are written as \\xNN."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return "/".join(part for part in text.split("/") if part not in ("", ".", ".."))


def _keys(names: Sequence[str]) -> list[str]:
    """Names without suffixes; names that would become equal keep the suffix."""
    stems = [os.path.splitext(name)[0] for name in names]
    count = Counter(stems)
    keys = [stem if count[stem] == 1 else name for stem, name in zip(stems, names, strict=True)]
    if len(set(keys)) < len(keys):  # "a.jpg" beside "a.jpg.png" and "a.png"
        keys = list(names)
    return keys

"""The index of a data set of latents: one JSON file beside its shards. docs/latents.md describes it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from nacre.entropy.errors import UsageError

FORMAT: Final = "nacre latents 1"
INDEX = "index.json"
Label = int | str | None


class ModelFacts(Struct, frozen=True):
    """The model of all samples."""

    name: str
    id: str  # hexadecimal: the start of the SHA-256 of its weights file, as in every sample's head
    family: str


class PlaneFacts(Struct, frozen=True):
    """One plane of the latent, in all samples."""

    channels: int
    stride: int  # pixels a side for one position
    dtype: str  # "int8" or "int16": the narrowest that holds every symbol
    steps: list[float]  # by channel: a quantisation step, on a scale that all qualities share


class Preparation(Struct, frozen=True):
    """What was done with every picture before it was coded, and how it was coded."""

    quality: int
    effort: int
    size: int | None  # pixels to which the short side was scaled
    crop: int | None  # pixels a side of the square that was then cut from the middle


class SampleRow(Struct, frozen=True, gc=False):
    """One sample: the place of its nacre file, and its facts."""

    key: str
    shard: int
    offset: int  # of the nacre file in the shard, in bytes
    size: int  # of the nacre file
    label: int | None
    picture: tuple[int, int]  # width and height in pixels, as coded
    latent: tuple[int, int, int]  # (C, h, w) shape of the plane `Index.plane`


class BadPicture(Struct, frozen=True):
    """A picture that could not be packed."""

    key: str
    error: str


class Index(Struct, frozen=True):
    """All facts of a data set beside its shards."""

    model: ModelFacts
    preparation: Preparation
    plane: str  # the plane whose shape the samples give
    planes: dict[str, PlaneFacts]
    classes: list[str]  # label k is classes[k]; empty where labels were numbers
    shards: list[str]  # file names
    bad: list[BadPicture]
    samples: list[SampleRow]
    format: Literal["nacre latents 1"] = FORMAT


DECODER = msgspec.json.Decoder(Index)


def numbered(labels: Iterable[Label]) -> tuple[dict[Label, int | None], list[str]]:
    """The number of every label that occurs, and the classes: sorted names; no classes if labels are numbers.

    >>> numbered(["b", None, "a"])
    ({None: None, 'a': 0, 'b': 1}, ['a', 'b'])
    >>> numbered([3, 0])
    ({3: 3, 0: 0}, [])
    """
    found = dict.fromkeys(labels)
    if all(label is None or isinstance(label, int) for label in found):
        return {label: label for label in found if not isinstance(label, str)}, []
    classes = sorted({str(label) for label in found if label is not None})
    own: dict[Label, int | None] = {None: None} if None in found else {}
    places = {name: k for k, name in enumerate(classes)}
    by_name = sorted((label for label in found if label is not None), key=str)
    return {**own, **{label: places[str(label)] for label in by_name}}, classes


def write_index(folder: Path, index: Index) -> None:
    """Write an index whole or not at all, with a line for each sample."""
    head = msgspec.json.decode(msgspec.json.encode(index))
    head.pop("samples")
    bad = head.pop("bad")
    lines = [f"{_text(name)}: {_text(value)}" for name, value in head.items()]
    partial = folder / f"{INDEX}.part"
    with partial.open("w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + ",\n")
        for name, rows, end in (("bad", bad, "],\n"), ("samples", index.samples, "]\n}\n")):
            file.write(f'"{name}": [')
            for number, row in enumerate(rows):
                file.write(("," if number else "") + "\n" + _text(row))
            file.write(("\n" if rows else "") + end)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, folder / INDEX)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def read_index(path: Path) -> Index:
    """Read the index in a folder or in a file. Raises UsageError."""
    path = path / INDEX if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        index = DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no index of latents: {error}") from error
    most = len(index.shards)
    wrong = next((row.key for row in index.samples if not 0 <= row.shard < most), None)
    if wrong is not None or index.plane not in index.planes:
        what = f"plane {index.plane!r}" if wrong is None else f"the shard of {wrong!r}"
        raise UsageError(f"{path}: {what} is not listed")
    return index

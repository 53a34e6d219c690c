"""Packs pictures into a data set of latents: `nacre.datasets.pack` and the core of `nacre pack`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from typing_extensions import Unpack

from nacre.codec.encoder import check
from nacre.codec.run import Run, RunOptions
from nacre.datasets.latents.coding import CodedSample, Settings, code, loaded_run
from nacre.datasets.latents.index import (
    INDEX,
    BadPicture,
    Index,
    Label,
    ModelFacts,
    PlaneFacts,
    Preparation,
    numbered,
    read_index,
    write_index,
)
from nacre.datasets.latents.processes import in_processes
from nacre.datasets.latents.shards import JOURNAL, Packed, PackingJob, Refused, SampleShards
from nacre.datasets.latents.sources import Item, items_from
from nacre.entropy.errors import UsageError
from nacre.entropy.schedule import planes_of
from nacre.models import zoo

SHARD_SIZE = 256 << 20
LARGEST_INT8 = 127

Results = Iterator[tuple[Item, CodedSample | BadPicture]]  # in the order of the items
Coding = Callable[[Iterator[Item], Settings], Results]


def pack(
    samples: Iterable[tuple[str, Any, Label]],
    out: str | Path,
    *,
    quality: int = 60,
    effort: int = 0,
    size: int | None = None,
    crop: int | None = None,
    shard_size: int = SHARD_SIZE,
    jobs: int = 1,
    on_progress: Callable[[int], None] | None = None,
    **options: Unpack[RunOptions],
) -> Index:
    """Code pictures into the folder `out`, as shards and an index; returns the index.

    `samples` are (key, picture, label): a key is a relative path, a picture the bytes of a file or any input of
    `codec.encode`, a label a whole number, a name or None. Every picture is turned by its orientation, scaled
    to `size` pixels on its short side, and cut to its middle `crop` x `crop` pixels. With `jobs` over 1,
    processes code the pictures; the bytes do not change.

    After an interruption at any moment, an equal call resumes: it iterates over `samples` again and skips coded
    pictures. `Index.bad` names pictures that cannot be packed. `on_progress` is called with the number of
    pictures done. `options` are options of `codec.encode`. Raises UsageError and WeightsError.
    """
    settings = settings_of(quality, effort, size, crop, options)
    coding = in_turn if jobs == 1 else in_processes(jobs)
    return pack_items(items_from(samples), Path(out), settings, shard_size, coding, on_progress)


def settings_of(
    quality: int, effort: int, size: int | None, crop: int | None, options: RunOptions
) -> Settings:
    """The checked settings. Raises UsageError or WeightsError."""
    check(quality, effort)
    for name, value in (("size", size), ("crop", crop)):
        if value is not None and value < 1:
            raise UsageError(f"{name} {value}: a number of pixels wanted")
    if size is not None and crop is not None and crop > size:
        raise UsageError(f"crop {crop}: no more than size {size} wanted")
    plane = planes_of(Run.to_encode(options).network.schedule)[-1]
    given = {name: value for name, value in options.items() if name != "model"}
    model = str(options.get("model") or zoo.DEFAULT)
    if model.endswith(zoo.SUFFIX):
        model = os.path.abspath(model)
    preparation = Preparation(quality, effort, size, crop)
    return Settings(model, preparation, plane, **given)  # type: ignore[arg-type]


def in_turn(items: Iterator[Item], settings: Settings) -> Results:
    """Code one picture after the other in this process."""
    return ((item, code(item, settings)) for item in items)


def pack_items(
    items: Iterable[Item],
    out: Path,
    settings: Settings,
    shard_size: int = SHARD_SIZE,
    coding: Coding = in_turn,
    on_progress: Callable[[int], None] | None = None,
) -> Index:
    """`pack` for prepared items and settings. For a complete run, returns its index."""
    if shard_size < 1:
        raise UsageError(f"shard size {shard_size}: a number of bytes wanted")
    run = loaded_run(settings)
    model = ModelFacts(run.model.name, run.model.id.hex(), run.model.family)
    told = on_progress or (lambda done: None)
    if (out / INDEX).exists() and not (out / JOURNAL).exists():
        return _complete(items, out, model, settings.preparation, told)
    with SampleShards(out, PackingJob(model, settings.preparation, shard_size)) as writer:
        left = _left(iter(items), writer.lines, out)
        told(len(writer.lines))
        for item, found in coding(left, settings):
            writer.add(item.key, item.label, found)
            told(len(writer.lines))
        index = _index(run, settings, writer.finish(), writer.lines)
        write_index(out, index)
        writer.forget()
    return index


def _left(items: Iterator[Item], lines: list[Packed | Refused], out: Path) -> Iterator[Item]:
    """The items after the coded ones. Raises UsageError if the coded items differ from `lines`."""
    for line in lines:
        item = next(items, None)
        is_same = item is not None and item.key == line.key
        if is_same and isinstance(line, Packed) and item is not None:
            is_same = item.label == line.label
        if not is_same:
            raise UsageError(f"{out} holds a run over other pictures: {line.key!r} is not next")
    return items


def _complete(
    items: Iterable[Item],
    out: Path,
    model: ModelFacts,
    how: Preparation,
    told: Callable[[int], None],
) -> Index:
    """The index of a complete run. Raises UsageError if model, preparation, keys or labels differ."""
    index = read_index(out)
    if (index.model, index.preparation) != (model, how):
        raise UsageError(f"{out} holds a data set of another model or with other options")
    keys = {*(row.key for row in index.samples), *(row.key for row in index.bad)}
    labels = {item.key: item.label for item in items}
    if keys != labels.keys():
        other = min(keys ^ labels.keys())
        raise UsageError(f"{out} holds a data set of other pictures: {other!r} differs")
    numbers, classes = numbered(labels[row.key] for row in index.samples)
    for row in index.samples:
        if classes != index.classes or numbers[labels[row.key]] != row.label:
            raise UsageError(f"{out} holds a data set with other labels: {row.key!r} differs")
    told(len(keys))
    return index


def _index(run: Run, settings: Settings, shards: list[str], lines: list[Packed | Refused]) -> Index:
    packed = [line for line in lines if isinstance(line, Packed)]
    numbers, classes = numbered(line.label for line in packed)
    with torch.inference_mode():
        steps = run.network.step_sizes(run.level(settings.preparation.quality))
    planes = {}
    for name, plane in run.network.planes.items():
        largest = max((line.largest[name] for line in packed), default=0)
        planes[name] = PlaneFacts(
            plane.channels,
            plane.stride,
            "int8" if largest <= LARGEST_INT8 else "int16",
            [float(f"{step:.7g}") for step in steps[name][0].tolist()],
        )
    return Index(
        model=ModelFacts(run.model.name, run.model.id.hex(), run.model.family),
        preparation=settings.preparation,
        plane=settings.plane,
        planes=planes,
        classes=classes,
        shards=shards,
        bad=[BadPicture(line.key, line.error) for line in lines if isinstance(line, Refused)],
        samples=[line.row(numbers[line.label]) for line in packed],
    )

"""A recipe: everything that decides a training run, read from TOML and kept in its checkpoints."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nacre.entropy.errors import UsageError
from nacre.models.config import ImageConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Data:
    """What is trained on and what is held out."""

    pictures: tuple[str, ...]  # folders and .tar shards
    held_out: tuple[str, ...] = ()
    synthetic_share: float = 0.05  # of the crops that are rendered: the two kinds below
    synthetic_pictures: int = 96  # text, drawings and screens
    odd_pictures: int = 24  # dithers, patterns, noise and the like
    shrink_share: float = 0.25  # of the batches that are cut larger and shrunk


@dataclass(frozen=True)
class Steps:
    """How a step is made."""

    batch: int = 8  # crops of a step, over all processes
    crop: int = 192  # pixels a side, a multiple of 64
    learning_rate: float = 6e-4
    warmup_steps: int = 50  # with a new optimiser
    clip_norm: float = 1.0
    quality_power: float = 2.0  # qualities are drawn as u ** power, u uniform in 0..1: 1 is evenly
    ema: float = 0.999  # decay of the running average of the weights, which is what is exported
    linear_start: bool = True  # from principal components; only without weights to start from
    seed: int = 0


@dataclass(frozen=True)
class Routine:
    """What happens beside training."""

    checkpoint_minutes: float = 5.0
    evaluate_minutes: float = 15.0
    log_steps: int = 50


@dataclass(frozen=True)
class Recipe:
    name: str
    data: Data
    model: ImageConfig = field(default_factory=ImageConfig)
    steps: Steps = field(default_factory=Steps)
    routine: Routine = field(default_factory=Routine)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        return _recipe(json.loads(text), "checkpoint")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; raises UsageError that names what is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    recipe = _recipe({"name": path.stem, **raw}, str(path))
    if recipe.steps.crop % 64 or recipe.steps.crop < 64:
        raise UsageError(f"{path}: crop is {recipe.steps.crop}, not a multiple of 64")
    if recipe.steps.batch < 1:
        raise UsageError(f"{path}: batch is {recipe.steps.batch}, not 1 or more")
    return recipe


def _recipe(raw: dict[str, Any], where: str) -> Recipe:
    sections = {"data": Data, "model": ImageConfig, "steps": Steps, "routine": Routine}
    _check(raw, {"name", *sections}, where)
    if "data" not in raw:
        raise UsageError(f"{where}: section [data] is missing")
    made = {
        key: _section(kind, raw[key], f"{where} [{key}]")
        for key, kind in sections.items()
        if key in raw
    }
    return Recipe(str(raw["name"]), **made)


def _section(kind: type, raw: Any, where: str) -> Any:
    if not isinstance(raw, dict):
        raise UsageError(f"{where} is not a section")
    known = {f.name: f for f in fields(kind)}
    _check(raw, set(known), where)
    values = {}
    for key, value in raw.items():
        value = tuple(value) if isinstance(value, list) else value
        wanted: Any = {"int": int, "float": (int, float), "bool": bool, "str": str}.get(
            str(known[key].type), tuple
        )
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise UsageError(f"{where}: {key} is {value!r}, not {known[key].type}")
        values[key] = value
    try:
        return kind(**values)
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from error


def _check(raw: dict[str, Any], known: set[str], where: str) -> None:
    unknown = set(raw) - known
    if unknown:
        raise UsageError(
            f"{where}: {', '.join(sorted(unknown))} not known; there is {', '.join(sorted(known))}"
        )

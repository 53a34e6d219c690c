"""A recipe: all choices that decide a training run, read from TOML and kept in its checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from nacre.entropy.errors import UsageError
from nacre.tools.train import model_section
from nacre.tools.train.model_section import ModelChoice
from nacre.tools.train.sections import Section, read_section

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LEAST_MS_SSIM_CROP = 192  # five scales of windows of 11 pixels want more than 160

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Minutes = Annotated[float, Meta(ge=0)]
Source = Annotated[str, Meta(min_length=1)]


class Data(Section, frozen=True):
    """The pictures or clips to train on and to measure on."""

    pictures: tuple[Source, ...] = ()  # folders and .tar shards
    clips: tuple[Source, ...] = ()  # files and folders, for models of inter frames
    held_out: tuple[Source, ...] = ()
    draws: Positive = 3  # pairs made from each frame of a clip
    chained_by: str = ""  # model of clips that codes the references; "": as first frames
    synthetic_share: Share = 0.05  # of the crops, from the rendered pictures of both kinds below
    synthetic_pictures: Count = 96  # text, drawings and screens
    odd_pictures: Count = 24  # dithers, patterns, noise and the like
    shrink_share: Share = 0.25  # of the batches, whose crops are cut larger and shrunk

    def __post_init__(self) -> None:
        if bool(self.pictures) == bool(self.clips):
            raise ValueError("either pictures or clips are wanted")


class Steps(Section, frozen=True):
    """The optimisation."""

    batch: Positive = 8  # crops of a step, over all processes
    crop: Annotated[int, Meta(ge=64, multiple_of=64)] = 192  # pixels a side
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 6e-4
    warmup_steps: Positive = 50  # with a new optimiser
    clip_norm: Annotated[float, Meta(gt=0)] = 1.0
    quality_power: Annotated[float, Meta(gt=0, le=10)] = 2.0  # t = u ** power, u uniform in 0..1
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.999  # decay of the averaged weights
    linear_start: bool = True  # from principal components; ignored with --init
    seed: Count = 0


class ObjectiveChoice(Section, frozen=True):
    """An addition to the pixel error, or a replacement; by default neither."""

    features: str = ""  # task checkpoint of pixels whose features the decoder should keep
    teacher: str = ""  # task checkpoint of pixels: features are predicted from the latent
    # The MSE on 0..255 that counts as much as a distance of 1.
    feature_weight: Annotated[float, Meta(ge=0)] = 200.0
    distance: Literal["cosine", "mse"] = "cosine"  # of `features`
    ms_ssim_share: Share = 0.0  # of the distortion: structural similarity in place of pixel error
    pixel_weight: Share = 0.1  # of the MSE beside `teacher`; 0 leaves the synthesis untrained
    distil: bool = False  # encoder and prior are fixed; the tail learns from labels and teacher
    labels: str = ""  # for `distil`: a folder with a sub-folder of pictures for each class

    def __post_init__(self) -> None:
        if sum(map(bool, (self.features, self.teacher, self.ms_ssim_share))) > 1:
            raise ValueError("features, teacher or ms_ssim_share: one of them")
        if self.distil and not (self.teacher and self.labels):
            raise ValueError("distil wants teacher and labels")


class Routine(Section, frozen=True):
    """Intervals of checkpoints, evaluations and log lines."""

    checkpoint_minutes: Minutes = 5.0
    evaluate_minutes: Minutes = 15.0
    log_steps: Positive = 50


class Recipe(Section, frozen=True):
    name: str
    data: Data
    model: ModelChoice = msgspec.field(default_factory=lambda: model_section.read_model({}, ""))
    steps: Steps = Steps()
    objective: ObjectiveChoice = ObjectiveChoice()
    routine: Routine = Routine()

    def __post_init__(self) -> None:
        if self.objective.ms_ssim_share and self.steps.crop < LEAST_MS_SSIM_CROP:
            raise ValueError(f"ms_ssim_share wants crops of {LEAST_MS_SSIM_CROP} pixels a side")

    def to_json(self) -> str:
        return msgspec.json.encode({**_sections(self), "model": self.model.to_dict()}).decode()

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        return _recipe(msgspec.json.decode(text), "checkpoint")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; raises UsageError that names the file, the field, its value and the fault."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    return _recipe({"name": path.stem, **raw}, str(path))


def _recipe(raw: dict[str, Any], file: str) -> Recipe:
    """Read the sections; the configuration of the family checks the section of the model."""
    others = {key: value for key, value in raw.items() if key != model_section.NAME}
    recipe = read_section(Recipe, others, file)
    model = model_section.read_model(raw.get(model_section.NAME, {}), file)
    return msgspec.structs.replace(recipe, model=model)


def _sections(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(recipe)
    return found

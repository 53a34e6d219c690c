"""Reads the section [model] of a recipe: the configuration of the network. Nothing else knows its fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, cast, get_type_hints

import msgspec
from msgspec import Meta

from nacre.models.config import ImageConfig
from nacre.tools.train.sections import Section, read_section

NAME = "model"
COUNT = Annotated[int, Meta(ge=1)]
POSITIVE = Annotated[float, Meta(gt=0, le=1e6)]


def _struct_of(config: type) -> type[Section]:
    """A strict struct with the fields and defaults of a configuration, all of which are positive numbers."""
    types = {int: COUNT, float: POSITIVE}
    hints = get_type_hints(config)
    members = [(field.name, types[hints[field.name]], field.default) for field in fields(config)]
    struct = msgspec.defstruct(config.__name__, members, bases=(Section,), frozen=True)
    return cast("type[Section]", struct)


_ImageSection = _struct_of(ImageConfig)


def read_model(raw: Any, file: str) -> ImageConfig:
    """`raw` is what a parser made of the section. Raises UsageError."""
    section = read_section(_ImageSection, raw, file, NAME)
    return ImageConfig(**msgspec.structs.asdict(section))

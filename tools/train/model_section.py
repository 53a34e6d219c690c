"""Reads the section [model] of a recipe: the family of the network, and the fields of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nacre.entropy.errors import UsageError, WeightsError
from nacre.models import family as families
from nacre.models.family import Network

NAME = "model"
DEFAULT_FAMILY = "nacre"


@dataclass(frozen=True)
class ModelChoice:
    """A network to train."""

    family: str
    config: Any  # of the family

    def build(self) -> Network:
        """The network with new weights. Raises WeightsError for an impossible shape."""
        return families.find(self.family).build(self.config)

    def to_dict(self) -> dict[str, Any]:
        """The section as in a recipe."""
        return {"family": self.family, **families.config_values(self.config)}


def read_model(raw: Any, file: str) -> ModelChoice:
    """The choice in a parsed section `raw`. Raises UsageError."""
    if not isinstance(raw, dict):
        raise UsageError(f"{file}: {NAME} is {raw!r}: expected section, got {type(raw).__name__}")
    values = dict(raw)
    name = values.pop("family", DEFAULT_FAMILY)
    try:
        family = families.find(str(name))
    except WeightsError as error:
        raise UsageError(f"{file}: {NAME}.family is {name!r}: {error}") from error
    try:
        return ModelChoice(family.name, family.configure(values))
    except WeightsError as error:
        raise UsageError(f"{file}: {NAME}.{error}") from error

"""Saves and loads the state of a run; a resumed run equals an uninterrupted one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nacre.entropy.errors import WeightsError
from nacre.models.weights_file import NETWORK

State = dict[str, Tensor]
FILE = "checkpoint.pt"
RETIRED = {"torch_rng"}  # fields of older checkpoints that are ignored


@dataclass
class Checkpoint:
    recipe: str  # JSON
    step: int
    seconds: float  # training time so far
    model: State
    ema: State
    optimiser: dict[str, Any]
    crops_rng: Tensor
    start: str = "linear"  # origin of the first weights
    warm_from: int = 0  # step at which the warm-up began
    fall: dict[str, int] | None = None
    objective: State = field(default_factory=dict)  # weights trained beside the model
    objective_ema: State = field(default_factory=dict)
    history: list[dict[str, float]] = field(
        default_factory=list
    )  # evaluations on held-out pictures

    def save(self, path: Path) -> None:
        """Write the file under another name, then rename it: a killed run keeps the previous checkpoint."""
        partial = path.with_name(f"{path.name}.part{os.getpid()}")
        torch.save(vars(self), partial)
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
            return cls(**{key: stored[key] for key in stored if key not in RETIRED})
        except (OSError, RuntimeError, ValueError, TypeError, EOFError, KeyError) as error:
            raise WeightsError(
                f"{path} is no checkpoint of nacre: {str(error).splitlines()[0]}"
            ) from error
        except Exception as error:  # torch raises various types of UnpicklingError
            raise WeightsError(f"{path} is no checkpoint of nacre") from error


def objective_state(path: Path) -> State:
    """The averaged weights that were trained beside the model; empty for a weights file."""
    return {} if path.suffix == ".safetensors" else Checkpoint.load(path).objective_ema


def network_state(path: Path) -> State:
    """The weights in a weights file, or the averaged weights in a checkpoint."""
    if path.suffix != ".safetensors":
        return Checkpoint.load(path).ema
    try:
        with safe_open(path, "pt") as file:
            keys = [key for key in file.keys() if key.startswith(NETWORK)]  # noqa: SIM118
            return {key.removeprefix(NETWORK): file.get_tensor(key).float() for key in keys}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: {error}") from error

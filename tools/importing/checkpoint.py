"""Reads a checkpoint of CompressAI (a .pth or .pth.tar file) as named tensors; CompressAI is not needed."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nacre.entropy.errors import UsageError

NESTED = "state_dict"  # the key of the tensors in a checkpoint with other content
PARALLEL = "module."  # before keys of networks trained on several devices
BOTTLENECK = "entropy_bottleneck."
# Keys of the density network of a bottleneck: matrices.0, _matrices.0 and _matrix0 name one tensor.
DENSITY = re.compile(r"_?(matri|bias|factor)[a-z]*\.?(\d)")
PLURALS = {"matri": "matrices", "bias": "biases", "factor": "factors"}
RASTER_SCAN = "context_prediction."

RASTER_SCANS = ("mbt2018", "cheng2020-anchor", "cheng2020-attn")
ONE_BY_ONE = "is coded in raster scan, one network run for each position: it is not imported"
FLOAT_SCALES = ("elic2022-official", "elic2022-chandelier")
OF_CONTEXT = (
    "has scales from its context, in floats that differ between machines: it is not imported"
)
FAMILIES = {
    "bmshj2018-factorized": "factorized",
    "bmshj2018-hyperprior": "hyperprior",
    "mbt2018-mean": "mean-scale",
}


@dataclass(frozen=True)
class ForeignCheckpoint:
    """Tensors of an architecture of CompressAI, under the keys of its newest release."""

    architecture: str
    tensors: dict[str, Tensor]

    def __getitem__(self, key: str) -> Tensor:
        """The tensor of a key. Raises UsageError if there is none."""
        if key not in self.tensors:
            raise UsageError(f"no checkpoint of {self.architecture}: {key} is missing")
        return self.tensors[key]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose keys begin with `prefix`, by the rest of their keys."""
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}


def check_architecture(architecture: str) -> None:
    """Raises UsageError for an architecture that cannot be imported."""
    if architecture in RASTER_SCANS:
        raise UsageError(f"{architecture} {ONE_BY_ONE}")
    if architecture in FLOAT_SCALES:
        raise UsageError(f"{architecture} {OF_CONTEXT}")
    if architecture not in FAMILIES:
        raise UsageError(f"compressai:{architecture}: wanted is one of {', '.join(FAMILIES)}")


def read_checkpoint(path: Path, architecture: str) -> ForeignCheckpoint:
    """Read a checkpoint. Raises UsageError for a file that is no checkpoint of the architecture."""
    check_architecture(architecture)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is no checkpoint: {str(error).splitlines()[0]}") from error
    if isinstance(found, dict) and isinstance(found.get(NESTED), dict):
        found = found[NESTED]
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no checkpoint: it holds a {type(found).__name__}")
    tensors = {_renamed(str(k)): v for k, v in found.items() if isinstance(v, Tensor)}
    if any(key.startswith(RASTER_SCAN) for key in tensors):
        raise UsageError(f"{path} {ONE_BY_ONE}")
    return ForeignCheckpoint(architecture, tensors)


def _renamed(key: str) -> str:
    key = key.removeprefix(PARALLEL)
    if not key.startswith(BOTTLENECK):
        return key
    known = DENSITY.fullmatch(key.removeprefix(BOTTLENECK))
    return f"{BOTTLENECK}{PLURALS[known[1]]}.{known[2]}" if known else key

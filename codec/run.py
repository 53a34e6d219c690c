"""Where and how networks run: model, device, precision and limits, passed as one object.

The state that torch keeps for a process or thread (autocast, inference mode, default device and type) has no
effect on a run: every tensor is made with its own type and device, and `computing` sets the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import torch

from nacre.codec import threads as threads  # registers the handler for forked processes
from nacre.codec.container import Limits
from nacre.entropy.errors import LimitError, UsageError
from nacre.models import zoo
from nacre.models.family import CodingModel, Network, level

if TYPE_CHECKING:
    from torch import Tensor

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class RunOptions(TypedDict, total=False):
    """The keywords that every function of the codec takes."""

    model: str | Path | None  # name of an installed model, or the path of a weights file
    device: str  # as torch names it: "cpu", "cuda", "cuda:1", "mps"
    precision: str  # of the networks: "float32" or "bfloat16"; no effect on the parse
    limits: Limits


@dataclass(frozen=True)
class Run:
    """A model on a device. The parse of a file depends on the model alone."""

    model: CodingModel
    device: torch.device
    precision: str = "float32"
    limits: Limits = Limits()

    @classmethod
    def to_encode(cls, options: Mapping[str, Any]) -> Run:
        """A run with the chosen model. Raises UsageError or WeightsError."""
        return cls._of(zoo.load_model(options.get("model") or zoo.DEFAULT), options)

    @classmethod
    def to_decode(cls, model_id: bytes, options: Mapping[str, Any]) -> Run:
        """A run with the model that a file names. Raises UsageError, UnsupportedStream or WeightsError."""
        return cls._of(zoo.model_of_stream(model_id, options.get("model")), options)

    @classmethod
    def _of(cls, model: CodingModel, options: Mapping[str, Any]) -> Run:
        precision = options.get("precision", "float32")
        device = options.get("device", "cpu")
        if precision not in PRECISIONS:
            raise UsageError(f"precision {precision!r}: {' or '.join(PRECISIONS)} wanted")
        try:
            place = torch.device(device)
            if place.type == "meta":
                raise RuntimeError("it holds no numbers")
            network = model.network if place.type == "cpu" else _network_on(model.network, place)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"device {device!r} cannot be used: {reason}") from error
        return cls(replace(model, network=network), place, precision, limits_of(options))

    @property
    def network(self) -> Network:
        return self.model.network

    def level(self, quality: int) -> Tensor:
        """(1,) the quality in the scale of the networks."""
        return level(quality, self.device)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """The context for all computations of the networks."""
        kind = self.device.type
        with ExitStack() as stack:
            if self.precision == "float32":
                stack.enter_context(torch.autocast(kind, enabled=False))
                if kind == "cuda":
                    stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
            else:
                stack.enter_context(torch.autocast(kind, PRECISIONS[self.precision]))
            yield


def limits_of(options: Mapping[str, Any]) -> Limits:
    found: Limits = options.get("limits", Limits())
    return found


@lru_cache(maxsize=4)
def _network_on(network: Network, device: torch.device) -> Network:
    """A copy on another device; the network on the CPU does not change."""
    return copy.deepcopy(network).to(device)


@contextmanager
def memory_errors_named() -> Iterator[None]:
    """Raise LimitError for an allocation that fails, within the limits or not."""
    try:
        yield
    except MemoryError as error:
        raise LimitError("out of memory") from error
    except RuntimeError as error:
        if "alloc" in str(error) or "out of memory" in str(error):
            raise LimitError("out of memory") from error
        raise

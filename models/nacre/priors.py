"""The two priors of the default family: in floats for training and search, and exact for coding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Arrays, Shapes
from nacre.models.nacre.config import NacreConfig
from nacre.models.nacre.scales import MAX_MAGNITUDE, IntegerScales, quantise, watch
from nacre.models.parts.channels import (
    RowTable,
    read_row_table,
    row_table_key,
    rows_of_channels,
)

if TYPE_CHECKING:
    from nacre.models.nacre.network import NacreNetwork

SCALES = "scales."  # prefix in a weights file


class _Means:
    """The means of both priors, and the planes for the synthesis."""

    def __init__(self, network: NacreNetwork, shapes: Shapes) -> None:
        self.network, self.shapes, self.schedule = network, shapes, network.schedule
        self._features: Tensor | None = None  # (B, context, h, w), once z is known

    def _step(self, turn: int) -> int | None:
        """The step of y that a turn is; None for the turn of z."""
        return turn - 1 if turn else None

    def mean(self, turn: int, known: Planes) -> Tensor:
        step = self._step(turn)
        if step is None:
            return torch.zeros_like(known["z"])
        return self.network.means(self._known_features(known), known["y"], step)

    def settle(self, turn: int, known: Planes) -> Planes:
        return known

    def shown(self, known: Planes) -> Planes:
        return {"y": known["y"], "features": self._known_features(known)}

    def _known_features(self, known: Planes) -> Tensor:
        if self._features is None:
            self._features = self.cropped(self.network.hyper_synthesis(known["z"]))
        return self._features

    def cropped(self, v: Tensor) -> Tensor:
        """(..., h, w) of y, which may be smaller than the area that z covers."""
        height, width = self.shapes["y"][2:]
        return v[..., :height, :width]


class TrainingPrior(_Means):
    """In floats; rows are log2 of the scale."""

    def __init__(self, network: NacreNetwork, shapes: Shapes, t: Tensor) -> None:
        super().__init__(network, shapes)
        self._t = t
        self._hyper: Tensor | None = None

    def rows(self, turn: int, seen: Planes) -> Tensor:
        step = self._step(turn)
        if step is None:
            return self.network.hyper_scale.log2_scale(self._t, self.shapes["z"])
        if self._hyper is None:
            self._hyper = self.cropped(self.network.scales.hyper(seen["z"]))
        magnitudes = seen["y"].detach().round().abs().clamp(max=MAX_MAGNITUDE)
        return self.network.scales(self._hyper, magnitudes, step)


class ExactPrior(_Means):
    """For coding a batch of one: rows from integers, on the CPU."""

    def __init__(
        self, network: NacreNetwork, integers: NacreIntegers, shapes: Shapes, quality: int
    ) -> None:
        super().__init__(network, shapes)
        self._integers, self._quality = integers, quality
        self._hyper: Tensor | None = None

    def rows(self, turn: int, seen: Planes) -> Tensor:
        step, scales = self._step(turn), self._integers.scales
        if step is None:
            return rows_of_channels(self._integers.z_rows, self._quality, self.shapes["z"])
        if self._hyper is None:
            self._hyper = self.cropped(scales.hyper(seen["z"][0].cpu()))
        magnitudes = seen["y"][0].cpu().abs().clamp(max=MAX_MAGNITUDE)
        return scales.rows(self._hyper, magnitudes, step)[None]


@dataclass(frozen=True)
class NacreIntegers:
    """All integers of a model but its tables."""

    scales: IntegerScales
    z_rows: RowTable

    def prior(self, network: NacreNetwork, shapes: Shapes, quality: int) -> ExactPrior:
        return ExactPrior(network, self, shapes, quality)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        scales = {SCALES + key: array for key, array in self.scales.to_arrays().items()}
        return {**scales, row_table_key("z"): self.z_rows}

    @classmethod
    def from_arrays(cls, c: NacreConfig, arrays: Arrays) -> NacreIntegers:
        own = {k.removeprefix(SCALES): a for k, a in arrays.items() if k.startswith(SCALES)}
        scales = IntegerScales.from_arrays(own)
        scales.check_shapes(c)
        return cls(scales, read_row_table(arrays, "z", QUALITIES, c.hyper))

    @classmethod
    def of(
        cls, network: NacreNetwork, z_rows: RowTable, run: Callable[[], object]
    ) -> NacreIntegers:
        """Quantised from a trained network on the activations that `run` brings about."""
        watching = watch(network.scales)
        run()
        return cls(quantise(network.scales, watching.close()), z_rows)

"""The priors of networks with a hyper-latent: in floats for training and search, and exact for coding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.schedule import Schedule
from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Arrays, Shapes
from nacre.models.parts.channels import (
    RowTable,
    read_row_table,
    row_table_key,
    rows_of_channels,
)
from nacre.models.parts.context import Memory
from nacre.models.parts.scales import MAX_MAGNITUDE, IntegerScales, ScaleShape, quantise, watch

if TYPE_CHECKING:
    from nacre.models.parts.hyperprior import HyperpriorNetwork

SCALES = "scales."  # prefix in a weights file


class _Means:
    """The means of both priors, and the planes for the synthesis. The first turn is z, all others are y."""

    def __init__(self, network: HyperpriorNetwork, shapes: Shapes) -> None:
        self.network, self.shapes, self.schedule = network, shapes, network.schedule
        self._features: Tensor | None = None  # (B, F, h, w), once z is known
        self._memory: Memory = {}
        self._scale: Tensor | None = None  # of the turn, where the context gives scales

    def mean(self, turn: int, known: Planes) -> Tensor:
        if turn == 0:
            return self.network.hyper_mean(known["z"])
        features = self.known_features(known)
        found = self.network.means(turn - 1, features, known["y"], self._memory)
        if self.network.means.gives_scales:
            found, self._scale = found.chunk(2, 1)
        return found

    def settle(self, turn: int, known: Planes) -> Planes:
        if turn == 0:
            return known
        features = self.known_features(known)
        residual = self.network.means.residual(turn - 1, features, known["y"], self._memory)
        if residual is None:
            return known
        this, y = self.schedule[turn], known["y"]
        height, width = y.shape[2:]
        where = this.where(height, width, y.device)
        added = torch.where(where, residual, torch.zeros((), dtype=y.dtype, device=y.device))
        channels = y.shape[1]
        if len(this.channels) < channels:
            before, after = this.channels.start, channels - this.channels.stop
            added = F.pad(added, (0, 0, 0, 0, before, after))
        return {**known, "y": y + added}

    def shown(self, known: Planes) -> Planes:
        return self.network.shown(known["y"], self.known_features(known))

    def known_features(self, known: Planes) -> Tensor:
        if self._features is None:
            features = self.network.hyper_synthesis(known["z"])
            self._features = self.network.features(self.cropped(features))
        return self._features

    def cropped(self, v: Tensor) -> Tensor:
        """v cropped to the (h, w) of y, which may be smaller than the area that z covers."""
        height, width = self.shapes["y"][2:]
        return v[..., :height, :width]

    @property
    def beside(self) -> Tensor | None:
        """(B, N, h, w) magnitudes known before the walk, at most MAX_MAGNITUDE."""
        known = self.network.beside(self.shapes["y"])
        return None if known is None else known.abs().clamp(max=MAX_MAGNITUDE)


class TrainingPrior(_Means):
    """The prior in floats; rows are log2 of the scale."""

    def __init__(self, network: HyperpriorNetwork, shapes: Shapes, t: Tensor) -> None:
        super().__init__(network, shapes)
        self._t = t
        self._hyper: Tensor | None = None

    def rows(self, turn: int, seen: Planes) -> Tensor:
        if turn == 0:
            return self.network.hyper_scale.log2_scale(self._t, self.shapes["z"])
        if self._scale is not None:
            return self._scale.float()
        scales = self.network.scales
        assert scales is not None
        if self._hyper is None:
            self._hyper = self.cropped(scales.hyper(seen["z"]))
        magnitudes = seen["y"].detach().round().abs().clamp(max=MAX_MAGNITUDE)
        log2_scale: Tensor = scales(self._hyper, magnitudes, turn - 1, self.beside)
        return log2_scale


class ExactPrior(_Means):
    """The prior for coding, for a batch of one: rows are computed in integers on the CPU."""

    def __init__(
        self, network: HyperpriorNetwork, integers: ScaleIntegers, shapes: Shapes, quality: int
    ) -> None:
        super().__init__(network, shapes)
        self._integers, self._quality = integers, quality
        self._hyper: Tensor | None = None

    def rows(self, turn: int, seen: Planes) -> Tensor:
        scales = self._integers.scales
        if turn == 0:
            return rows_of_channels(self._integers.z_rows, self._quality, self.shapes["z"])
        if self._hyper is None:
            self._hyper = self.cropped(scales.hyper(seen["z"][0].cpu()))
        magnitudes = seen["y"][0].cpu().abs().clamp(max=MAX_MAGNITUDE)
        beside = None if self.beside is None else self.beside[0].cpu()
        return scales.rows(self._hyper, magnitudes, turn - 1, beside)[None]


class ExactScales(Protocol):
    """The rows of y in integers, on the CPU."""

    def hyper(self, z_hat: Tensor) -> Tensor:
        """The features that all turns share: symbols (Z, h, w) to (F, 4h, 4w)."""

    def rows(
        self, hyper: Tensor, magnitudes: Tensor, turn: int, beside: Tensor | None = None
    ) -> Tensor:
        """(C, h, w) uint8 rows of the turn's channels; magnitudes (M, h, w) are at most MAX_MAGNITUDE."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays for the weights file."""


@dataclass(frozen=True)
class ScaleIntegers:
    """The integers of a model with a hyper-latent, without its tables."""

    scales: ExactScales
    z_rows: RowTable

    def prior(self, network: HyperpriorNetwork, shapes: Shapes, quality: int) -> ExactPrior:
        return ExactPrior(network, self, shapes, quality)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        scales = {SCALES + key: array for key, array in self.scales.to_arrays().items()}
        return {**scales, row_table_key("z"): self.z_rows}

    @classmethod
    def from_arrays(cls, shape: ScaleShape, arrays: Arrays) -> ScaleIntegers:
        own = {k.removeprefix(SCALES): a for k, a in arrays.items() if k.startswith(SCALES)}
        scales = IntegerScales.from_arrays(shape, own)
        return cls(scales, read_row_table(arrays, "z", QUALITIES, shape.hyper))

    @classmethod
    def of(
        cls, network: HyperpriorNetwork, z_rows: RowTable, run: Callable[[], object]
    ) -> ScaleIntegers:
        """Quantise a trained network for the activations that it has while `run` is called."""
        net = network.scales
        assert net is not None
        watching = watch(net)
        run()
        return cls(quantise(net, watching.close()), z_rows)


def integers_reader(turns: Callable[[Any], Schedule]) -> Callable[[Any, Arrays], ScaleIntegers]:
    """A function for `Family.integers` that undoes `to_arrays`; `turns` gives the schedule of y."""

    def read(config: Any, arrays: Arrays) -> ScaleIntegers:
        shape = ScaleShape.of(turns(config), config.hyper, config.scale_width)
        return ScaleIntegers.from_arrays(shape, arrays)

    return read

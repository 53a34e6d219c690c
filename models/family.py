"""The contracts of a model family: the interface of a network to the codec, training and export.

A family is a package under `models/` with a `FAMILY`, or is registered, or installed with an entry point in the
group "nacre.families". docs/families.md shows how to build one.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import Schedule, check
from nacre.entropy.tables import Tables
from nacre.entropy.walk import Planes, Prior
from nacre.models.parts.rate import Coded, estimate
from nacre.models.parts.rows import Rows

QUALITIES = 100
Shapes = Mapping[str, torch.Size]
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Plane:
    """The shape of one plane of the latent."""

    channels: int
    stride: int  # pixels a side for one position


@dataclass(frozen=True)
class Reach:
    """The facts of a network by which the codec runs it in blocks and estimates memory.

    Bytes are per pixel at float32; `python -m nacre.tools.studies.benchmark` measures them.
    """

    stride: int  # pixels a side for one position in `analyse` and `synthesise`; 1, 2, 4, ... 64
    halo: int  # positions that analysis and synthesis look beyond a position, on each side
    block_bytes: float  # activations, per pixel of a block
    band_bytes: float  # planes, per pixel of a row of entropy tiles
    tile_bytes: float  # per pixel of an entropy tile while it is coded
    search_bytes: float  # per pixel of a window of a search by gradient
    # Blocks start at multiples of `align` positions, so that windows of attention stay in place.
    align: int = 1


class LivePrior(Prior, Protocol):
    """A prior that also gives the inputs of the synthesis."""

    def shown(self, known: Planes) -> Planes:
        """The planes for `Network.synthesise`, of one size (B, C, h, w), at the stride of the reach.

        A plane of `known` that the synthesis reads directly keeps its name: a search follows the gradient of
        the picture to its symbols by that name.
        """


class Network(nn.Module, ABC):
    """The networks of a model in floats. Qualities t (B,) and pixels x (B, 3, H, W) are in [0, 1]."""

    config: Any  # a frozen dataclass of plain numbers
    reach: Reach
    planes: Mapping[str, Plane]
    schedule: Schedule

    def prepare(self, x: Tensor) -> Tensor:
        """The part of the analysis that all qualities share; sides of x are multiples of the stride."""
        return x

    @abstractmethod
    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        """The planes that come from pixels, not rounded, at the stride of the reach."""

    def complete(self, planes: Planes, t: Tensor) -> Planes:
        """All planes of a tile: adds the planes that are computed from other planes, such as a hyper-latent."""
        return planes

    @abstractmethod
    def prior(self, shapes: Shapes, t: Tensor) -> LivePrior:
        """The prior in floats, for training and search; its rows are log2 of the scale."""

    @abstractmethod
    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        """The planes of `LivePrior.shown` to (B, 3, H, W), not clamped to [0, 1]."""

    @abstractmethod
    def lmbda(self, t: Tensor) -> Tensor:
        """(B,) the weight of the MSE on the 0..255 scale against bits per pixel."""

    def step_sizes(self, t: Tensor) -> dict[str, Tensor]:
        """(B, C) for each plane: quantisation steps on a scale that all qualities share; ones by default."""
        return {
            name: torch.ones(len(t), plane.channels, device=t.device)
            for name, plane in self.planes.items()
        }

    @abstractmethod
    def rows(self) -> Mapping[str, Rows]:
        """The kind of table rows of every plane."""

    @abstractmethod
    def quantise(self, run: Callable[[], object]) -> Integers:
        """The integer part of a trained network; `run` passes calibration pictures through `forward`."""

    def start(self, x: Tensor) -> None:
        """Set better initial weights for training, from crops x; does nothing by default."""
        return None

    @property
    def is_one_rate(self) -> bool:
        """Whether lambda is equal at all qualities: the network was then trained for one rate."""
        return float(self.lmbda(level(1))) == float(self.lmbda(level(QUALITIES)))

    def multiplications(self) -> dict[str, float]:
        """Thousands of multiply-accumulates for one pixel, of "encode", "decode" and "forward", the pass of
        training; empty if unknown."""
        return {}

    def forward(self, x: Tensor, t: Tensor, hard: bool = False) -> Coded:
        """The training pass: see `estimate`, also for the direction in which its bits err."""
        return estimate(self, x, t, hard)

    @property
    def coarsest_stride(self) -> int:
        """Pixels a side for one position of the coarsest plane."""
        return max(plane.stride for plane in self.planes.values())

    def networks(self) -> tuple[nn.Module, ...]:
        """This network, and networks of other models that it runs."""
        return (self,)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def shapes(self, height: int, width: int) -> dict[str, torch.Size]:
        """(1, C, h, w) of every plane, for a tile of `height` x `width` positions of `reach.stride`."""
        pixels = height * self.reach.stride, width * self.reach.stride
        return {
            name: torch.Size((1, plane.channels, *(-(-side // plane.stride) for side in pixels)))
            for name, plane in self.planes.items()
        }


class Integers(Protocol):
    """The integer part of a model: table rows that are equal on every machine."""

    def prior(self, network: Any, shapes: Shapes, quality: int) -> LivePrior:
        """The prior for coding: means of the network in floats, rows by exact arithmetic on the CPU."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays for the weights file."""


@dataclass(frozen=True)
class Published:
    """A configuration that a paper describes, with its published counts."""

    name: str  # of the system, as its authors write it
    paper: str  # "arXiv:2307.15421"
    values: Mapping[str, Any]  # fields of the configuration that differ from the defaults
    parameters: float | None = None  # millions; None where nothing is published
    kmac: float | None = None  # thousands of multiply-accumulates for one pixel, of a forward pass
    note: str = ""  # why the family's own counts differ, if they do


@dataclass(frozen=True)
class Family:
    """An architecture: how its networks and their integer part are made."""

    name: str
    config: type[Any]  # a frozen dataclass of plain numbers, all with defaults
    network: Callable[[Any], Network]
    integers: Callable[[Any, Arrays], Integers]  # from a configuration and arrays of a file
    published: tuple[Published, ...] = ()

    def configure(self, values: Mapping[str, Any]) -> Any:
        """The configuration with these fields; raises WeightsError for unknown ones and wrong types."""
        known = {f.name: type(getattr(self.config(), f.name)) for f in fields(self.config)}
        for key, value in values.items():
            kind = known.get(key)
            is_number = isinstance(value, int) and not isinstance(value, bool) and kind is float
            if kind is None:
                raise WeightsError(f"{key} is not known; there is {', '.join(known)}")
            if not (type(value) is kind or is_number):
                raise WeightsError(
                    f"{key} is {value!r}: expected {kind.__name__}, got {type(value).__name__}"
                )
        try:
            return self.config(**values)
        except (ValueError, TypeError) as error:
            raise WeightsError(str(error)) from error

    def build(self, config: Any) -> Network:
        """A network with new weights, on the current device. Raises WeightsError for an impossible shape."""
        try:
            network = self.network(config)
            check(network.schedule, {name: p.channels for name, p in network.planes.items()})
        except (ValueError, TypeError, RuntimeError, ArithmeticError, IndexError) as error:
            raise WeightsError(f"family {self.name}: {str(error).splitlines()[0]}") from error
        return network


SQUARED_ERROR, STRUCTURE = "mse", "ms-ssim"  # distortions that a model may be trained for


@dataclass(frozen=True)
class CodingModel:
    """A model that is ready to code: networks in evaluation mode, integers, tables, id."""

    name: str
    id: bytes
    family: str
    network: Network
    integers: Integers
    tables: Mapping[str, Tables]  # by plane
    distortion: str = SQUARED_ERROR  # of its training

    @property
    def is_searched(self) -> bool:
        """Whether a search for symbols of a lower cost serves it: the search knows squared errors alone."""
        return self.distortion == SQUARED_ERROR

    def prior(self, shapes: Shapes, quality: int) -> LivePrior:
        return self.integers.prior(self.network, shapes, quality)


def level(quality: int, device: torch.device | str = "cpu") -> Tensor:
    """(1,) the quality input of networks, in [0, 1], for a quality of 1..QUALITIES."""
    value = (quality - 1) / (QUALITIES - 1)
    return torch.tensor([value], dtype=torch.float32, device=device)


_registered: dict[str, Family] = {}
NAME = re.compile(r"[a-z][a-z0-9_-]*")
GROUP = "nacre.families"


def register(family: Family) -> Family:
    """Make a family known to this process; returns it."""
    _registered[family.name] = family
    return family


def find(name: str) -> Family:
    """The family of that name: registered, in this package, or installed. Raises WeightsError."""
    if name not in _registered:
        found = _in_package(name) or _installed(name)
        if found is None:
            raise WeightsError(f"no model family is called {name!r}")
        register(found)
    return _registered[name]


def names() -> list[str]:
    """The families that can be found: registered, in this package, and installed."""
    from importlib.metadata import entry_points

    folders = (path.parent for path in Path(__file__).parent.glob("*/__init__.py"))
    own = [
        name for name in (folder.name.replace("_", "-") for folder in folders) if _in_package(name)
    ]
    return sorted({*own, *_registered, *(point.name for point in entry_points(group=GROUP))})


def _in_package(name: str) -> Family | None:
    if not NAME.fullmatch(name):
        return None
    module = f"nacre.models.{name.replace('-', '_')}"
    try:
        return getattr(importlib.import_module(module), "FAMILY", None)
    except ModuleNotFoundError as error:
        if error.name != module:  # one of its own imports is missing
            raise
        return None


def _installed(name: str) -> Family | None:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if point.name == name:
            found: Family = point.load()
            return found
    return None


def config_values(config: Any) -> dict[str, Any]:
    """The fields of a configuration, for a weights file or a recipe."""
    return asdict(config)

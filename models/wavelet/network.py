"""The networks of the family, put together: with a hyper-latent and a context, or without both."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import Schedule
from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Arrays, Integers, Network, Plane, Reach, Shapes, level
from nacre.models.parts.channels import (
    ChannelScales,
    RowTable,
    read_row_table,
    row_table_key,
    rows_of_channels,
)
from nacre.models.parts.count import multiplications
from nacre.models.parts.hyperprior import HyperpriorNetwork
from nacre.models.parts.priors import ScaleIntegers
from nacre.models.parts.rows import Rows, nearest_row, rows_by_scale
from nacre.models.wavelet.config import WaveletConfig
from nacre.models.wavelet.context import (
    WaveletHyperAnalysis,
    WaveletHyperSynthesis,
    WorthContext,
    scale_shape,
    turns,
)
from nacre.models.wavelet.transforms import (
    WaveletAnalysis,
    WaveletSynthesis,
    halo,
    keep_first_channels,
    start_principal,
)


class _LinearEncoder(Network):
    """The base of both networks: one layer makes y, with or without a hyperprior."""

    config: WaveletConfig
    analysis: WaveletAnalysis
    synthesis: WaveletSynthesis

    def prepare(self, x: Tensor) -> Tensor:
        return self.analysis.at_any_quality(x)

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        y = self.analysis.at_quality(prepared, t)
        if self.training and self.config.drop:
            y = keep_first_channels(y, self.config.drop)
        return {"y": y}

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        x_hat: Tensor = self.synthesis(shown["y"], t, shown.get("features"))
        return x_hat

    def step_sizes(self, t: Tensor) -> Planes:
        """The step sizes near zero, where companding has slope 1."""
        return {**super().step_sizes(t), "y": self.synthesis.ungain(t)[:, :, 0, 0]}

    def start(self, x: Tensor) -> None:
        start_principal(self.analysis, self.synthesis, self.config, x)


class WaveletHyperpriorNetwork(_LinearEncoder, HyperpriorNetwork):
    """Codes z first, then y in groups of channels by worth; means stand in for missing groups."""

    analysis: WaveletAnalysis
    synthesis: WaveletSynthesis

    def __init__(self, config: WaveletConfig) -> None:
        HyperpriorNetwork.__init__(
            self,
            config,
            reach(config),
            WaveletAnalysis(config),
            WaveletSynthesis(config, config.context),
            WaveletHyperAnalysis(config),
            WaveletHyperSynthesis(config),
            WorthContext(config),
            hyper_stride=config.hyper_stride,
        )


class PlainWaveletNetwork(_LinearEncoder):
    """Codes y alone, with a table for each channel and quality, without prediction; symbols are signed bytes.

    Missing groups of channels are zero.
    """

    def __init__(self, config: WaveletConfig) -> None:
        super().__init__()
        self.config, self.reach = config, reach(config)
        self.planes = {"y": Plane(config.latent, config.stride)}
        self.schedule = turns(config)
        self.analysis = WaveletAnalysis(config)
        self.synthesis = WaveletSynthesis(config, 0)
        self.scale = ChannelScales(config.latent, config.knots)

    def prior(self, shapes: Shapes, t: Tensor) -> PlainPrior:
        return PlainPrior(self.schedule, shapes, self.scale.log2_scale(t, shapes["y"]))

    def lmbda(self, t: Tensor) -> Tensor:
        low, high = self.config.lambda_min, self.config.lambda_max
        return low * (high / low) ** t

    def rows(self) -> dict[str, Rows]:
        return {"y": rows_by_scale()}

    def quantise(self, run: Callable[[], object]) -> PlainIntegers:
        t = torch.cat([level(quality) for quality in range(1, QUALITIES + 1)])
        scales = self.scale.log2_scale(t, torch.Size((QUALITIES, self.config.latent, 1, 1)))
        return PlainIntegers(nearest_row(scales[..., 0, 0].double().cpu().numpy()))

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        deviation = start_principal(self.analysis, self.synthesis, self.config, x)
        log = self.analysis.gain.log + deviation.log().to(self.analysis.gain.log)
        self.scale.log.copy_(log.clamp_min(math.log(0.1)))

    def multiplications(self) -> dict[str, float]:
        return multiplications(self)


class PlainPrior:
    """The prior for training and for coding, which differ in the rows (B, M, h, w) alone."""

    def __init__(self, schedule: Schedule, shapes: Shapes, rows: Tensor) -> None:
        self.schedule, self.shapes, self._rows = schedule, shapes, rows

    def mean(self, turn: int, known: Planes) -> Tensor:
        return torch.zeros_like(known["y"][:, self.schedule[turn].slice])

    def rows(self, turn: int, seen: Planes) -> Tensor:
        return self._rows[:, self.schedule[turn].slice]

    def settle(self, turn: int, known: Planes) -> Planes:
        return known

    def shown(self, known: Planes) -> Planes:
        return known


@dataclass(frozen=True)
class PlainIntegers:
    """The integers of a network without a hyperprior, without its tables."""

    y_rows: RowTable

    def prior(self, network: PlainWaveletNetwork, shapes: Shapes, quality: int) -> PlainPrior:
        rows = rows_of_channels(self.y_rows, quality, shapes["y"])
        return PlainPrior(network.schedule, shapes, rows)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {row_table_key("y"): self.y_rows}

    @classmethod
    def from_arrays(cls, config: WaveletConfig, arrays: Arrays) -> PlainIntegers:
        return cls(read_row_table(arrays, "y", QUALITIES, config.latent))


def build(config: WaveletConfig) -> Network:
    """The network of a configuration. Raises WeightsError for scales in floats, which the family lacks."""
    if config.float_scales:
        raise WeightsError("family wavelet: scales are integers, float_scales must be false")
    return WaveletHyperpriorNetwork(config) if config.hyperprior else PlainWaveletNetwork(config)


def read_integers(config: WaveletConfig, arrays: Arrays) -> Integers:
    """Undo `to_arrays`. Raises WeightsError."""
    if config.hyperprior:
        return ScaleIntegers.from_arrays(scale_shape(config), arrays)
    return PlainIntegers.from_arrays(config, arrays)


def reach(c: WaveletConfig) -> Reach:
    """Bytes are counted: a block of layers holds 8 times its width at once, the packet 18 copies of a sample.

    Bytes of planes are scaled from the default family, where they were measured.
    """
    positions = c.stride**2
    planes = (c.latent + (c.context if c.hyperprior else 0)) / positions
    block = 72 + 32 * c.width / positions
    return Reach(c.stride, halo(c), block, 18 * planes, 27 * planes, 5.5 * block)

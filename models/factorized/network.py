"""The networks of the factorised prior, put together; there is no hyper-latent.

Source: bmshj2018-factorized, arXiv:1802.01436. Differs: gain units make one network serve all qualities; the
table of a channel is then chosen by its scale at each quality. One table for each channel, as published, is the
option `channel_tables`, for models of one rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.schedule import Schedule, whole
from nacre.entropy.walk import Planes
from nacre.models.factorized.config import FactorizedConfig
from nacre.models.family import QUALITIES, Arrays, Network, Plane, Shapes, level
from nacre.models.parts.blocks import QualityTable
from nacre.models.parts.channels import (
    ChannelScales,
    RowTable,
    band_rows,
    band_scales,
    read_row_table,
    row_table_key,
    rows_of_channels,
)
from nacre.models.parts.count import multiplications
from nacre.models.parts.gdn_transforms import STRIDE_OF_ALL, GdnAnalysis, GdnSynthesis, gdn_reach
from nacre.models.parts.hyperprior import GAIN_MIDDLE, GAIN_SLOPE
from nacre.models.parts.rows import Rows, nearest_row, rows_by_scale


class FactorizedNetwork(Network):
    """y at stride 16 is coded in one turn, rounded around `median`, a value for each channel."""

    def __init__(self, config: FactorizedConfig) -> None:
        super().__init__()
        self.config, self.reach = config, gdn_reach(config)
        self.planes = {"y": Plane(config.latent, STRIDE_OF_ALL)}
        self.schedule = (whole("y", config.latent),)
        self.analysis = GdnAnalysis(config.width, config.latent)
        self.synthesis = GdnSynthesis(config.width, config.latent)
        self.gain = QualityTable(config.latent, config.knots, GAIN_SLOPE, GAIN_MIDDLE)
        self.ungain = QualityTable(config.latent, config.knots, -GAIN_SLOPE, -GAIN_MIDDLE)
        self.scale = ChannelScales(config.latent, config.knots)
        self.median = nn.Parameter(torch.zeros(config.latent))

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        return {"y": self.analysis(prepared) * self.gain(t)}

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        x_hat: Tensor = self.synthesis(shown["y"] * self.ungain(t))
        return x_hat

    def lmbda(self, t: Tensor) -> Tensor:
        low, high = self.config.lambda_min, self.config.lambda_max
        return low * (high / low) ** t

    def prior(self, shapes: Shapes, t: Tensor) -> FactorizedPrior:
        return FactorizedPrior(self, shapes, self.scale.log2_scale(t, shapes["y"]))

    def rows(self) -> dict[str, Rows]:
        if self.config.channel_tables:
            return {"y": Rows(band_scales(self.scale, 1), False)}
        return {"y": rows_by_scale()}

    def quantise(self, run: Callable[[], object]) -> FactorizedIntegers:
        if self.config.channel_tables:
            return FactorizedIntegers(band_rows(QUALITIES, self.config.latent, 1))
        t = torch.cat([level(quality) for quality in range(1, QUALITIES + 1)])
        scales = self.scale.log2_scale(t, torch.Size((QUALITIES, self.config.latent, 1, 1)))
        return FactorizedIntegers(nearest_row(scales[..., 0, 0].double().cpu().numpy()))

    def multiplications(self) -> dict[str, float]:
        return multiplications(self)


class FactorizedPrior:
    """The prior for training and for coding, which differ in the rows (B, M, h, w) alone."""

    def __init__(self, network: FactorizedNetwork, shapes: Shapes, rows: Tensor) -> None:
        self.schedule: Schedule = network.schedule
        self.shapes = shapes
        self._median, self._rows = network.median, rows

    def mean(self, turn: int, known: Planes) -> Tensor:
        return self._median[:, None, None].expand_as(known["y"])

    def rows(self, turn: int, seen: Planes) -> Tensor:
        return self._rows

    def settle(self, turn: int, known: Planes) -> Planes:
        return known

    def shown(self, known: Planes) -> Planes:
        return known


@dataclass(frozen=True)
class FactorizedIntegers:
    """The integers of a factorised model, without its tables."""

    y_rows: RowTable

    def prior(self, network: FactorizedNetwork, shapes: Shapes, quality: int) -> FactorizedPrior:
        return FactorizedPrior(network, shapes, rows_of_channels(self.y_rows, quality, shapes["y"]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {row_table_key("y"): self.y_rows}

    @classmethod
    def from_arrays(cls, config: FactorizedConfig, arrays: Arrays) -> FactorizedIntegers:
        return cls(read_row_table(arrays, "y", QUALITIES, config.latent))

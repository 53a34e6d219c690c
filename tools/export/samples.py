"""Takes the symbols and table rows of pictures, as the encoder at effort 0 would code them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.coder import Symbols
from nacre.entropy.walk import Step, drive, walk
from nacre.models.image import ImageModel
from nacre.models.scales import IntegerScales
from nacre.tools.export.calibration import CALIBRATION_T


@dataclass(frozen=True)
class Sample:
    """The symbols of one picture at one quality."""

    t: float
    z: NDArray[np.int32]  # (Z, positions)
    y: Symbols  # (elements,)
    rows: NDArray[np.uint8]  # (elements,) of the exact scale network
    log2_scale: NDArray[np.float32]  # (elements,) of the float scale network


class _BothPriors:
    """Takes means from the network and rows from the exact scales; keeps the float scales of each step."""

    def __init__(self, network: ImageModel, scales: IntegerScales, z_hat: Tensor) -> None:
        self.network = network
        self.scales = scales
        self.features = network.hyper_synthesis(z_hat)
        self.float_hyper = network.scales.hyper(z_hat)
        self.exact_hyper = scales.hyper(z_hat[0])
        self.float_rows: Tensor = torch.empty(0)

    def mean(self, y_hat: Tensor, step: int) -> Tensor:
        return self.network.means(self.features, y_hat, step)

    def rows(self, magnitudes: Tensor, step: int) -> Tensor:
        self.float_rows = self.network.scales(self.float_hyper, magnitudes, step)
        return self.scales.rows(self.exact_hyper, magnitudes[0], step)[None]


@torch.inference_mode()
def sample(network: ImageModel, scales: IntegerScales, x: Tensor, t: float) -> Sample:
    """x (1, 3, H, W) in [0, 1], sides multiples of 64."""
    quality = torch.tensor([t])
    y = network.analysis(x, quality)
    z_hat = network.hyper_analysis(y).round()
    prior = _BothPriors(network, scales, z_hat)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def answer(step: Step) -> Tensor:
        symbols = (y - step.mean).round()
        parts.append((symbols[step.where], step.rows[step.where], prior.float_rows[step.where]))
        return symbols

    drive(walk(prior, y.shape, y.device), answer)
    symbols, rows, log2_scale = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    z = z_hat[0].flatten(1).numpy().astype(np.int32)
    return Sample(t, z, symbols.astype(np.int32), rows, log2_scale)


def sample_all(
    network: ImageModel, scales: IntegerScales, pictures: Iterable[Tensor]
) -> list[Sample]:
    """A sample of every picture at each of CALIBRATION_T."""
    return [sample(network, scales, x, t) for x in pictures for t in CALIBRATION_T]

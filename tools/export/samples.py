"""Collects the symbols and table rows of pictures, as the encoder codes them at effort 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.coder import SymbolArray, TableRows
from nacre.entropy.walk import Planes, Step, drive, walk
from nacre.models.family import Integers, LivePrior, Network, level
from nacre.tools.export.calibration import qualities_of


@dataclass(frozen=True)
class PlaneSample:
    """The symbols of one plane; all arrays are (elements,)."""

    symbols: SymbolArray
    rows: TableRows  # of the exact prior
    log2_scale: NDArray[np.float32]  # of the float prior


Sample = Mapping[str, PlaneSample]  # by plane, of one picture at one quality


class _BothPriors:
    """Takes means and rows from the exact prior; keeps the rows of the float prior for each turn."""

    def __init__(self, exact: LivePrior, live: LivePrior) -> None:
        self._exact, self._live = exact, live
        self.schedule, self.shapes = exact.schedule, exact.shapes
        self.float_rows: Tensor = torch.empty(0)

    def mean(self, turn: int, known: Planes) -> Tensor:
        return self._exact.mean(turn, known)

    def rows(self, turn: int, seen: Planes) -> Tensor:
        self.float_rows = self._live.rows(turn, seen)
        return self._exact.rows(turn, seen)

    def settle(self, turn: int, known: Planes) -> Planes:
        return self._exact.settle(turn, known)


@torch.inference_mode()
def sample(network: Network, integers: Integers, x: Tensor, quality: int) -> Sample:
    """The sample of x (1, 3, H, W) in [0, 1], whose sides are multiples of every plane's stride."""
    t = level(quality)
    planes = network.complete(network.analyse(network.prepare(x), t), t)
    shapes = {name: plane.shape for name, plane in planes.items()}
    prior = _BothPriors(integers.prior(network, shapes, quality), network.prior(shapes, t))
    parts: dict[str, list[tuple[Tensor, Tensor, Tensor]]] = {name: [] for name in planes}

    def answer(step: Step) -> Tensor:
        symbols, where = (step.of(planes) - step.mean).round(), step.where
        found = (symbols[where], step.rows[where], prior.float_rows[where])
        parts[step.turn.plane].append(found)
        return symbols

    drive(walk(prior, x.device), answer)
    found = {}
    for name, of_plane in parts.items():
        symbols, rows, log2_scale = (torch.cat(p).numpy() for p in zip(*of_plane, strict=True))
        found[name] = PlaneSample(symbols.astype(np.int32), rows, log2_scale)
    return found


def sample_all(network: Network, integers: Integers, pictures: Iterable[Tensor]) -> list[Sample]:
    """A sample of every picture at each of the network's `qualities_of`."""
    return [sample(network, integers, x, q) for x in pictures for q in qualities_of(network)]

"""The export of a model of inter frames: integers, samples and tables from pairs of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from nacre.datasets.pairs import PairBatch, Pairs
from nacre.models.family import QUALITIES, Integers
from nacre.models.parts.condition import InterNetwork
from nacre.tools.export.samples import PlaneSample, Sample, sample
from nacre.tools.train.clip_pairs import given, motion_symbols

Parts = dict[str, list[tuple[np.ndarray, np.ndarray]]]


def spread_pairs(pairs: Pairs, count: int) -> list[PairBatch]:
    """Up to `count` pairs at equal distances, each as a batch of one."""
    return [pairs.batch(np.array([i])) for i in range(0, len(pairs), max(1, len(pairs) // count))]


def quantise_on_pairs(network: InterNetwork, pairs: Sequence[PairBatch]) -> Integers:
    """The integers of a network, calibrated on pairs."""

    def run() -> None:
        for pair in pairs:
            given(network, pair)(pair.frame, pair.t, hard=True)

    with torch.inference_mode():
        return network.quantise(run)


def sample_pairs(
    network: InterNetwork, integers: Integers, pairs: Sequence[PairBatch]
) -> list[Sample]:
    """A sample of every pair, at its quality."""
    found = []
    for pair in pairs:
        quality = 1 + round(float(pair.t) * (QUALITIES - 1))
        found.append(sample(given(network, pair), integers, pair.frame, quality))
    return found


def sample_motion(folder: Path) -> Sample:
    """A sample of the coded motion of all pairs in the folder of a run."""
    parts: Parts = {}
    for name, rows, symbols in motion_symbols(folder):
        parts.setdefault(name, []).append((rows, symbols))
    found = {}
    for name, of_name in parts.items():
        rows, symbols = (np.concatenate([part[k] for part in of_name]) for k in range(2))
        found[name] = PlaneSample(symbols, rows, np.zeros(len(rows), np.float32))
    return found

"""Fits the frequency tables to the symbols that each table row gets."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, exp

import numpy as np
import torch
from numpy.typing import NDArray

from nacre.entropy.tables import MAX_RADIUS, Tables, fit_tables
from nacre.models.image import ImageModel
from nacre.models.scales import LOG2_MIN, ROW_STEP, ROWS
from nacre.models.weights_file import QUALITIES, CodingTables
from nacre.tools.export.samples import Sample

SKIP_BELOW = 1e-3  # rows in which a smaller share of the symbols is not zero are not coded
SKIP_FROM_SYMBOLS = 1000  # rows that were seen less often say nothing about that share
PRIOR_SYMBOLS = 256.0  # weight of the prior shape beside the symbols seen in a row
PRIOR_SYMBOLS_Z = PRIOR_SYMBOLS / 8
Z_BANDS = 2  # bands of quality in which a channel of z has a table of its own
TAIL = 0.01  # share of a Laplacian in the prior shape: real tails are heavier than a Gaussian's

Floats = NDArray[np.float64]


def shape(scale: float, radius: int) -> Floats:
    """(2 * radius + 2,) probabilities of -radius..radius, then of all symbols beyond.

    A Gaussian with a thin Laplacian tail.
    """

    def gaussian(x: float) -> float:
        return 0.5 * (1 + erf(x / scale * 0.5**0.5))

    def laplacian(x: float) -> float:
        tail = 0.5 * exp(-abs(x) / scale * 2**0.5)
        return tail if x < 0 else 1 - tail

    edges = np.arange(-radius - 0.5, radius + 1)
    below = np.array([(1 - TAIL) * gaussian(e) + TAIL * laplacian(e) for e in edges])
    return np.append(np.diff(below), max(2 * below[0], 1e-12))


def row_scale(row: int) -> float:
    """The standard deviation of a row, in quantisation steps."""
    return float(2.0 ** (LOG2_MIN + ROW_STEP * row))


def row_radius(scale: float) -> int:
    return int(min(MAX_RADIUS, np.ceil(8 * scale) + 2))


def histogram(symbols: NDArray[np.int32], radius: int) -> Floats:
    """(2 * radius + 2,) counts of the symbols -radius..radius, then of all beyond."""
    inside = symbols[np.abs(symbols) <= radius]
    counts = np.bincount(inside + radius, minlength=2 * radius + 1).astype(np.float64)
    return np.append(counts, len(symbols) - len(inside))


def fit_y(samples: Sequence[Sample]) -> Tables:
    """A table for each row; a symbol and its negative get the same frequency."""
    symbols, rows = (np.concatenate([getattr(s, part) for s in samples]) for part in ("y", "rows"))
    order = np.argsort(rows, kind="stable")
    ends = np.cumsum(np.bincount(rows, minlength=ROWS))
    counts, shapes, coded = [], [], []
    for row in range(ROWS):
        seen = symbols[order[ends[row - 1] if row else 0 : ends[row]]]
        radius = row_radius(row_scale(row))
        count = histogram(seen, radius)
        count[:-1] = (count[:-1] + count[-2::-1]) / 2
        counts.append(count)
        shapes.append(shape(row_scale(row), radius))
        if len(seen) > SKIP_FROM_SYMBOLS and 1 - count[radius] / len(seen) > SKIP_BELOW:
            coded.append(row)
    return fit_tables(counts, shapes, PRIOR_SYMBOLS, min(coded, default=0))


def fit_z(samples: Sequence[Sample], network: ImageModel) -> tuple[Tables, NDArray[np.uint8]]:
    """A table for each channel in each band of quality, and (QUALITIES, Z) the row of each channel."""
    channels = network.config.hyper
    counts, shapes = [], []
    for band in range(Z_BANDS):
        inside = [s for s in samples if _band(s.t) == band]
        with torch.inference_mode():
            middle = torch.tensor([(band + 0.5) / Z_BANDS])
            scales = network.hyper_scale(middle)[0, :, 0, 0].tolist()
        for channel in range(channels):
            seen = np.concatenate([s.z[channel] for s in inside])
            spread = float(np.sqrt(np.mean(seen.astype(float) ** 2)))
            scale = max(scales[channel], spread, row_scale(0))
            radius = row_radius(scale)
            counts.append(histogram(seen, radius))
            shapes.append(shape(min(scale, row_scale(ROWS - 1)), radius))
    rows = np.empty((QUALITIES, channels), np.uint8)
    for quality in range(QUALITIES):
        rows[quality] = _band(quality / (QUALITIES - 1)) * channels + np.arange(channels)
    return fit_tables(counts, shapes, PRIOR_SYMBOLS_Z, 0), rows


def _band(t: float) -> int:
    return min(int(t * Z_BANDS), Z_BANDS - 1)


def fit(network: ImageModel, samples: Sequence[Sample]) -> CodingTables:
    z, rows = fit_z(samples, network)
    return CodingTables(fit_y(samples), z, rows)

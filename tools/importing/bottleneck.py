"""Frequency tables of an entropy bottleneck of CompressAI, from its integer CDFs or its density network.

A bottleneck has a distribution for each channel, around its median. After `update()` the checkpoint has the
CDFs as integers; otherwise they are computed from the density network of arXiv:1802.01436, 6.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.errors import UsageError
from nacre.entropy.tables import MAX_RADIUS, Tables, integer_frequencies

Floats = NDArray[np.float64]
FLOOR = 2.0**-16  # of a probability: CompressAI codes with 16 bits
MOST_SYMBOLS = 1 << 16  # of a channel


@dataclass(frozen=True)
class Distribution:
    """The distribution of the symbols of one channel: values minus the median, rounded."""

    first: int  # the symbol of the first probability
    probabilities: Floats  # of `first`, `first` + 1, ..., then of all others together

    @property
    def deviation(self) -> float:
        """The root of the mean square."""
        inside = self.probabilities[:-1]
        symbols = self.first + np.arange(len(inside))
        return float(np.sqrt((inside * symbols**2).sum() / max(inside.sum(), 1e-12)))

    def row(self) -> Floats:
        """(2 * radius + 2,) probabilities of -radius..radius, then of all symbols beyond."""
        inside = self.probabilities[:-1]
        last = self.first + len(inside) - 1
        radius = min(max(abs(self.first), abs(last), 1), MAX_RADIUS)
        whole = np.zeros(2 * radius + 2)
        low, high = max(self.first, -radius), min(last, radius)
        if low <= high:
            whole[low + radius : high + radius + 1] = inside[
                low - self.first : high - self.first + 1
            ]
        whole[-1] = self.probabilities.sum() - whole.sum()
        return whole


def distributions(bottleneck: Mapping[str, Tensor]) -> list[Distribution]:
    """The distribution of every channel; `bottleneck` has the tensors by name. Raises UsageError."""
    try:
        cdf = bottleneck.get("_quantized_cdf")
        return _stored(bottleneck) if cdf is not None and cdf.numel() else _computed(bottleneck)
    except (KeyError, IndexError, RuntimeError) as error:
        raise UsageError(f"no entropy bottleneck: {error}") from error


def _stored(bottleneck: Mapping[str, Tensor]) -> list[Distribution]:
    cdfs, lengths, offsets = (
        bottleneck[name].tolist() for name in ("_quantized_cdf", "_cdf_length", "_offset")
    )
    found = []
    for cdf, length, offset in zip(cdfs, lengths, offsets, strict=True):
        steps = np.diff(np.array(cdf[:length], np.float64))
        if len(steps) < 2 or steps.min() < 0 or steps.sum() <= 0:
            raise UsageError("no entropy bottleneck: a CDF does not rise")
        found.append(Distribution(int(offset), steps / steps.sum()))
    return found


@torch.no_grad()
def _computed(bottleneck: Mapping[str, Tensor]) -> list[Distribution]:
    quantiles = bottleneck["quantiles"].double()[:, 0]  # (C, 3): low tail, median, high tail
    median = quantiles[:, 1]
    first = -(median - quantiles[:, 0]).ceil().clamp(0, MOST_SYMBOLS)
    last = (quantiles[:, 2] - median).ceil().clamp(0, MOST_SYMBOLS)
    found = []
    for channel, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        edges = median[channel] + torch.arange(low - 0.5, high + 1, dtype=torch.float64)
        below = torch.sigmoid(_logits(bottleneck, channel, edges)).numpy()
        inside = np.maximum(np.diff(below), 0)
        tail = max(below[0] + 1 - below[-1], 0.0)
        found.append(Distribution(int(low), np.append(inside, tail) + FLOOR))
    return found


def _logits(bottleneck: Mapping[str, Tensor], channel: int, x: Tensor) -> Tensor:
    """(n,) the logits of the cumulative distribution of a channel at x."""
    logits = x[None]
    layer = 0
    while f"matrices.{layer}" in bottleneck:
        matrix, bias = (
            bottleneck[f"{n}.{layer}"][channel].double() for n in ("matrices", "biases")
        )
        logits = F.softplus(matrix) @ logits + bias
        factor = bottleneck.get(f"factors.{layer}")
        if factor is not None:
            logits = logits + torch.tanh(factor[channel].double()) * torch.tanh(logits)
        layer += 1
    if not layer:
        raise KeyError("matrices.0")
    return logits[0]


def channel_tables(found: list[Distribution]) -> Tables:
    """Tables with one row for each channel."""
    rows = [distribution.row() for distribution in found]
    radius = np.array([(len(row) - 2) // 2 for row in rows], np.int64)
    return Tables(radius, np.concatenate([integer_frequencies(row) for row in rows]))


def gaussian_tables(scales: tuple[float, ...], radii: list[int]) -> Tables:
    """Tables of Gaussians with probabilities of at least FLOOR, as in CompressAI."""
    frequencies = []
    for scale, radius in zip(scales, radii, strict=True):
        edges = torch.arange(-radius - 0.5, radius + 1, dtype=torch.float64) / scale
        below = (0.5 * torch.erfc(-edges * 0.5**0.5)).numpy()
        frequencies.append(integer_frequencies(np.append(np.diff(below), 2 * below[0]) + FLOOR))
    return Tables(np.array(radii, np.int64), np.concatenate(frequencies))

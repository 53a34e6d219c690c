"""BD-rate: how many more bits one curve needs than another for the same quality, on average.

Source: Bjontegaard, VCEG-M33. Differs: piecewise cubics that keep the shape (PCHIP), not one cubic.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Points of one codec on one set, in order of rate."""

    name: str
    bpp: Floats
    psnr_db: Floats

    def __post_init__(self) -> None:
        if len(self.bpp) != len(self.psnr_db) or len(self.bpp) < 2:
            raise UsageError(
                f"{self.name}: a curve needs two points or more, as many rates as qualities"
            )
        if (np.diff(self.bpp) <= 0).any() or (np.diff(self.psnr_db) <= 0).any():
            raise UsageError(f"{self.name}: quality does not rise with the rate at every point")

    @classmethod
    def of(cls, name: str, bpp: Sequence[float], psnr_db: Sequence[float]) -> Curve:
        """From points in any order."""
        order = np.argsort(bpp)
        return cls(name, np.asarray(bpp, float)[order], np.asarray(psnr_db, float)[order])


def read_curve(path: Path) -> Curve:
    """A published curve of tools/anchors, or one that this package wrote."""
    try:
        raw = json.loads(path.read_text())
        return Curve.of(str(raw["codec"]), raw["bpp"], raw.get("psnr_rgb") or raw["psnr_db"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no curve: {error}") from error


def pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Slopes at the knots of the cubic that keeps rising data rising: both x and y rise.

    Source: Fritsch and Butland, 1984; three-point formula at the ends.
    """
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    if len(d) == 1:
        return np.array([d[0], d[0]])
    before, after = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    slopes = np.empty(len(x))
    slopes[1:-1] = (before + after) / (before / d[:-1] + after / d[1:])
    for end, next in ((0, 1), (-1, -2)):
        slope = ((2 * h[end] + h[next]) * d[end] - h[end] * d[next]) / (h[end] + h[next])
        slopes[end] = max(0.0, slope)
    return slopes


def integral(x: Floats, y: Floats, low: float, high: float) -> float:
    """Of the PCHIP curve through the points, exactly."""
    slopes, h = pchip_slopes(x, y), np.diff(x)
    c2 = (3 * np.diff(y) / h - 2 * slopes[:-1] - slopes[1:]) / h
    c3 = (slopes[:-1] + slopes[1:] - 2 * np.diff(y) / h) / h**2

    def primitive(at: Floats) -> Floats:
        t = np.clip(at - x[:-1], 0, h)
        return t * (y[:-1] + t * (slopes[:-1] / 2 + t * (c2 / 3 + t * c3 / 4)))

    return float((primitive(np.asarray(high)) - primitive(np.asarray(low))).sum())


def bd_rate(anchor: Curve, test: Curve) -> tuple[float, tuple[float, float]]:
    """Per cent of bits that `test` needs beyond `anchor`, and the range of qualities, in dB, it is a mean over.

    Raises UsageError when the curves share no quality.
    """
    low = max(anchor.psnr_db[0], test.psnr_db[0])
    high = min(anchor.psnr_db[-1], test.psnr_db[-1])
    if low >= high:
        raise UsageError(f"{anchor.name} and {test.name} share no quality")
    means = [integral(c.psnr_db, np.log10(c.bpp), low, high) / (high - low) for c in (anchor, test)]
    return 100 * (10 ** (means[1] - means[0]) - 1), (float(low), float(high))

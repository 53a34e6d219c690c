"""BD-rate and BD-PSNR: the mean distance between two rate-distortion curves.

Source: Bjontegaard, VCEG-M33 ("cubic": one polynomial of degree three, fitted to all points).
Differs: "pchip" and "akima" join the points by piecewise cubics, which do not swing between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import UsageError

Floats = NDArray[np.float64]
METHODS = ("pchip", "akima", "cubic")
FEW_POINTS = 4  # curves of fewer points are mostly interpolation
SMALL_SHARE = 0.5  # of the range of either curve; a mean over less is unreliable
AKIMA_FLAT = 1e-9  # of the largest change of slope; a smaller change counts as none


@dataclass(frozen=True)
class Curve:
    """Points of one codec on one set, in order of rate. Raises UsageError for points that make no curve."""

    name: str
    rate: Floats  # bits per pixel; kbit/s for some video sets; above 0
    quality: Floats  # dB; MS-SSIM as -10 log10(1 - MS-SSIM)
    dataset: str | None = None

    def __post_init__(self) -> None:
        if self.rate.shape != self.quality.shape or self.rate.ndim != 1:
            raise UsageError(f"{self.name}: as many rates as qualities are wanted, in two lists")
        if len(np.unique(self.rate)) < 2 or len(np.unique(self.quality)) < 2:
            raise UsageError(f"{self.name}: a curve needs two points or more")
        if not (np.isfinite(self.rate).all() and np.isfinite(self.quality).all()):
            raise UsageError(f"{self.name}: not every rate and quality is a finite number")
        if (self.rate <= 0).any():
            raise UsageError(f"{self.name}: rates are not all over 0")

    @classmethod
    def of(
        cls,
        name: str,
        rate: Sequence[float],
        quality: Sequence[float],
        dataset: str | None = None,
    ) -> Curve:
        """Make a curve from points in any order."""
        x, y = np.asarray(rate, float), np.asarray(quality, float)
        if x.shape == y.shape and x.ndim == 1:
            order = np.lexsort((y, x))
            x, y = x[order], y[order]
        return cls(name, x, y, dataset)

    def remarks(self) -> list[str]:
        """Return warnings: few points, or quality that falls while the rate rises."""
        found = []
        if len(self.rate) < FEW_POINTS:
            found.append(f"{self.name} has {len(self.rate)} points only")
        steps = zip(np.diff(self.rate), np.diff(self.quality), self.rate[1:], strict=True)
        falls = [f"{at:.4g}" for rate, quality, at in steps if quality <= 0 or rate <= 0]
        if falls:
            found.append(f"{self.name}: quality does not rise with the rate at {', '.join(falls)}")
        return found


@dataclass(frozen=True)
class Delta:
    """The mean distance of two curves over the range that they share."""

    value: float  # per cent for BD-rate, negative is fewer bits; dB for BD-PSNR, positive is better
    low: float  # end of the shared range: dB for BD-rate, the unit of the rates for BD-PSNR
    high: float
    remarks: tuple[str, ...]


def bd_rate(anchor: Curve, test: Curve, method: str = "pchip") -> Delta:
    """Return the bits, in per cent, that `test` needs beyond `anchor` at equal quality.

    Raises UsageError when the curves share no quality.
    """
    gap, low, high, remarks = _gap(anchor, test, method, lambda c: (c.quality, np.log10(c.rate)))
    return Delta(100 * (float(10**gap) - 1), low, high, remarks)


def bd_quality(anchor: Curve, test: Curve, method: str = "pchip") -> Delta:
    """Return the decibels by which `test` is better than `anchor` at equal rate.

    Raises UsageError when the curves share no rate.
    """
    gap, low, high, remarks = _gap(anchor, test, method, lambda c: (np.log10(c.rate), c.quality))
    return Delta(gap, 10**low, 10**high, remarks)


def _gap(
    anchor: Curve, test: Curve, method: str, axes: Callable[[Curve], tuple[Floats, Floats]]
) -> tuple[float, float, float, tuple[str, ...]]:
    """Return the mean of y of `test` minus y of `anchor` over the shared x, the ends of x, and remarks."""
    if method not in METHODS:
        raise UsageError(f"method {method!r}: one of {', '.join(METHODS)} wanted")
    knots = [_knots(*axes(curve)) for curve in (anchor, test)]
    low, high = max(x[0] for x, _ in knots), min(x[-1] for x, _ in knots)
    if low >= high:
        ends = " and ".join(
            f"{c.name} ({c.rate[0]:.4g} to {c.rate[-1]:.4g}, {c.quality.min():.2f} to {c.quality.max():.2f} dB)"
            for c in (anchor, test)
        )
        raise UsageError(f"{ends} do not overlap")
    remarks = anchor.remarks() + test.remarks()
    for curve, (x, _) in zip((anchor, test), knots, strict=True):
        share = (high - low) / (x[-1] - x[0])
        if share < SMALL_SHARE:
            remarks.append(f"the range in common is {share:.0%} of that of {curve.name}")
    means = [integral(x, y, low, high, method) / (high - low) for x, y in knots]
    return float(means[1] - means[0]), float(low), float(high), tuple(remarks)


def _knots(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Sort by x and merge points of equal x into one at their mean y."""
    found, which = np.unique(x, return_inverse=True)
    return found, np.bincount(which, weights=y) / np.bincount(which)


def integral(x: Floats, y: Floats, low: float, high: float, method: str = "pchip") -> float:
    """Integrate the curve through the points exactly from `low` to `high`; x must rise."""
    if method == "cubic":
        middle = x.mean()  # keeps the equations well conditioned
        primitive = np.polyint(np.polyfit(x - middle, y, min(3, len(x) - 1)))
        return float(np.diff(np.polyval(primitive, np.array([low, high]) - middle))[0])
    slopes = pchip_slopes(x, y) if method == "pchip" else akima_slopes(x, y)
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    c2 = (3 * d - 2 * slopes[:-1] - slopes[1:]) / h
    c3 = (slopes[:-1] + slopes[1:] - 2 * d) / h**2

    def area(at: float) -> Floats:
        t = np.clip(at - x[:-1], 0, h)
        return t * (y[:-1] + t * (slopes[:-1] / 2 + t * (c2 / 3 + t * c3 / 4)))

    return float((area(high) - area(low)).sum())


def pchip_slopes(x: Floats, y: Floats) -> Floats:
    """Return the slopes at the knots of the cubic without extremes between the points.

    Source: Fritsch and Butland, 1984; Moler's three-point formula at the ends.
    """
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    if len(d) == 1:
        return np.array([d[0], d[0]])
    before, after = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    slopes = np.zeros(len(x))
    same = d[:-1] * d[1:] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (before + after) / (before / d[:-1] + after / d[1:])
    slopes[1:-1][same] = harmonic[same]
    for end, next in ((0, 1), (-1, -2)):
        slope = ((2 * h[end] + h[next]) * d[end] - h[end] * d[next]) / (h[end] + h[next])
        if slope * d[end] <= 0:
            slope = 0.0
        elif d[end] * d[next] <= 0 and abs(slope) > 3 * abs(d[end]):
            slope = 3 * d[end]
        slopes[end] = slope
    return slopes


def akima_slopes(x: Floats, y: Floats) -> Floats:
    """Return the slopes at the knots from two chords on either side. Source: Akima, JACM 1970."""
    d = np.diff(y) / np.diff(x)
    if len(d) == 1:
        return np.array([d[0], d[0]])
    before, after = 2 * d[0] - d[1], 2 * d[-1] - d[-2]
    m = np.concatenate([[2 * before - d[0], before], d, [after, 2 * after - d[-1]]])
    jump = np.abs(np.diff(m))
    total = jump[2:] + jump[:-2]
    slopes = (m[1:-2] + m[2:-1]) / 2
    bends = total > AKIMA_FLAT * total.max(initial=0)
    weighted = jump[2:] * m[1:-2] + jump[:-2] * m[2:-1]
    slopes[bends] = weighted[bends] / total[bends]
    return slopes

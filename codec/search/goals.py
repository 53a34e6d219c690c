"""Searches the quality at which a file has a wanted size or likeness (PSNR or SSIM).

A step of quality changes the bytes by some 3 %. At an effort of 1 or more, the weight of errors against bits in
the rate-distortion search (`trade`) gives files between two steps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nacre.codec.container import MAX_QUALITY
from nacre.codec.encoder import DEFAULT_EFFORT, HIGHEST_EFFORT, Encoder, check
from nacre.codec.pictures.colour import PictureLike
from nacre.codec.search.progress import Budget, Progress
from nacre.codec.strips import PEAKS, samples
from nacre.entropy.errors import NacreError, UsageError

MOST_PROBES = 8  # encodings
QUICK_PROBES, QUICK_EFFORT = 4, 1  # first probes and their effort, before a search of higher effort
QUICK_SHARE = 0.1  # of the time, for these probes
CLOSE = 0.02  # a goal is met down to this share of the size below it
CLOSE_DB = 0.1  # a goal is met up to this much above the likeness
TINY = 1e-10  # least argument of a logarithm: the PSNR of equal pictures is infinite
START = 50  # quality of the first probe
LOWEST, HIGHEST = 0.5, 100.5  # quality, halfway below the lowest step and above the highest
ROWS = 256  # of pixels, compared at a time
NARROW = 0.6  # steps of quality between two probes, from which only the trade is searched
TRADE = 1.6  # factor on the weight of errors that equals one step of quality
SMALLEST_SSIM_SIDE = 11  # pixels: the window of SSIM
LOG_BYTES, DECIBELS = 0.035, 0.17  # rough change a step of quality, seen on photographs


class GoalError(NacreError):
    """No quality reaches the goal; the message gives the nearest."""


@dataclass(frozen=True)
class Goal:
    """The range `low` to `high` of a measure that grows with quality."""

    name: str  # "size", "bpp", "psnr" or "ssim"
    wanted: float  # bytes, bits per pixel, dB, 0..1
    low: float
    high: float
    slope: float  # rough change of the measure a step of quality
    measure: Callable[[Encoder, bytes], float]
    fixed: int = 0  # bytes that do not depend on quality

    @property
    def is_size(self) -> bool:
        return self.name in ("size", "bpp")

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def allows(self, value: float) -> bool:
        return value <= self.high if self.is_size else value >= self.low

    def says(self, value: float) -> str:
        """A value in the unit of the goal, as text."""
        units = {
            "size": "{:.0f} bytes",
            "bpp": "{:.4g} bpp",
            "psnr": "{:.2f} dB",
            "ssim": "an SSIM of {:.4f}",
        }
        return units[self.name].format(value)

    def shown(self, value: float) -> float:
        """A measured value converted to the unit of the goal."""
        if self.name == "psnr":
            return value
        if self.name == "ssim":
            return 1 - 10 ** (-value / 10)
        reached = math.exp(value) + self.fixed
        return self.wanted * reached / (math.exp(self.high) + self.fixed)


@dataclass(frozen=True)
class Probe:
    """One encoding of the search."""

    at: float  # quality, with a fraction where a trade is used
    quality: int
    value: float
    data: bytes


@dataclass(frozen=True)
class Reached:
    """The file that meets a goal, and the work of the search."""

    data: bytes
    quality: int
    probes: int  # encodings


def encode_to(
    image: PictureLike,
    *,
    size: float | None = None,
    bpp: float | None = None,
    psnr: float | None = None,
    ssim: float | None = None,
    effort: int | None = None,
    time_budget: float | None = None,
    goes_on: Callable[[float], bool] | None = None,
    **options: Any,
) -> Reached:
    """Code a picture into at most `size` bytes or `bpp` bits per pixel, or to at least `psnr` dB or `ssim`.

    Exactly one of the four is given. The size is never exceeded and the likeness always reached, as a rule
    within 2 % and 0.1 dB. The other options are those of `encode`. PSNR and SSIM leave out transparency and
    weigh all pixels alike.

    Raises GoalError when no quality meets the goal, and the errors of `encode`.
    """
    budget = Budget(time_budget, goes_on)
    if sum(wanted is not None for wanted in (size, bpp, psnr, ssim)) != 1:
        raise UsageError("one of size, bpp, psnr and ssim is wanted")
    if effort is None:
        effort = DEFAULT_EFFORT if time_budget is None else HIGHEST_EFFORT
    check(MAX_QUALITY, effort)
    encoder = Encoder(image, **options)
    if encoder.is_one_rate:
        raise UsageError("the model has one rate: it cannot search a quality that reaches a goal")
    effort = encoder.useful_effort(effort)
    if size is not None or bpp is not None:
        goal = size_goal(encoder, size=size, bpp=bpp)
        try:
            return arrive(encoder, goal, effort, budget)
        except GoalError:  # cells without loss are too large: code all from the latent
            encoder.is_adaptive = False
            return arrive(encoder, goal, effort, budget)
    return arrive(encoder, likeness_goal(psnr=psnr, ssim=ssim), effort, budget)


def size_goal(encoder: Encoder, *, size: float | None = None, bpp: float | None = None) -> Goal:
    """The goal of at most `size` bytes or `bpp` bits per pixel. Raises UsageError or GoalError."""
    name, wanted = ("size", size) if size is not None else ("bpp", bpp)
    if wanted is None or not 0 < wanted < math.inf:
        raise UsageError(f"{name} {wanted}: a number over 0 wanted")
    largest = wanted if name == "size" else wanted * encoder.width * encoder.height / 8
    fixed = encoder.fixed_bytes
    if largest <= fixed:
        raise GoalError(f"{largest:.0f} bytes cannot be had: {fixed} are metadata and transparency")
    low = max((1 - CLOSE) * largest - fixed, TINY)
    return Goal(
        name, wanted, math.log(low), math.log(largest - fixed), LOG_BYTES, _log_bytes, fixed
    )


def likeness_goal(*, psnr: float | None = None, ssim: float | None = None) -> Goal:
    """The goal of at least `psnr` dB, over all channels together, or `ssim`. Raises UsageError."""
    if psnr is not None:
        if not 0 < psnr < math.inf:
            raise UsageError(f"psnr {psnr}: a number of dB over 0 wanted")
        return Goal("psnr", psnr, psnr, psnr + CLOSE_DB, DECIBELS, _psnr_db)
    if ssim is None or not 0 < ssim < 1:
        raise UsageError(f"ssim {ssim}: a number between 0 and 1 wanted")
    low = _decibels(ssim)
    return Goal("ssim", ssim, low, low + CLOSE_DB, DECIBELS, _ssim_db)


def arrive(
    encoder: Encoder, goal: Goal, effort: int = QUICK_EFFORT, budget: Budget | None = None
) -> Reached:
    """The file that meets the goal: a size is never exceeded, a likeness always reached.

    At most MOST_PROBES files are made, the first ones at QUICK_EFFORT. At an effort of 0 only whole steps of
    quality are tried, and the file may be a step away from the goal; it may also be when the search is
    stopped. Raises GoalError when no quality meets the goal, and UsageError.
    """
    whole = Progress(budget or Budget())
    probes: list[Probe] = []
    if effort > QUICK_EFFORT:
        _approach(encoder, goal, QUICK_EFFORT, QUICK_PROBES, probes, whole.section(0, QUICK_SHARE))
    quick = list(probes)
    own = whole.section(QUICK_SHARE if quick else 0, 1)
    _approach(encoder, goal, effort, MOST_PROBES - 1 - len(quick), probes, own)
    good = [p for p in probes[len(quick) :] if goal.allows(p.value)]
    good = good or [p for p in quick if goal.allows(p.value)]
    if not good:  # at last, the end of the range of quality
        end = LOWEST if goal.is_size else HIGHEST
        last = _probe(encoder, goal, end, min(effort, QUICK_EFFORT), None)
        probes.append(last)
        good = [last] if goal.allows(last.value) else []
    if not good:
        nearest = min(probes, key=lambda p: abs(p.value - goal.middle))
        comes_to = goal.says(goal.shown(nearest.value))
        raise GoalError(
            f"{goal.says(goal.wanted)} cannot be had: quality {nearest.quality} gives {comes_to}"
        )
    best = min(good, key=lambda p: abs(p.value - goal.middle))
    if goal.is_size and best.value < goal.low and best.at >= MAX_QUALITY:
        warnings.warn(
            f"{goal.says(goal.wanted)} is more than the best quality takes: {len(best.data)} bytes",
            stacklevel=2,
        )
    return Reached(best.data, best.quality, len(probes))


def _approach(
    encoder: Encoder, goal: Goal, effort: int, most: int, probes: list[Probe], progress: Progress
) -> None:
    """Add up to `most` probes at an effort, until one is inside the goal.

    Earlier `probes`, of another effort, give the quality of the first probe. Each probe has half of the time
    left; once the time is over, the search ends if any probe meets the goal.
    """
    own: list[Probe] = []
    anchor: int | None = None  # once set, the quality is fixed and only the trade is searched
    while len(own) < most:
        if progress.budget.is_over and any(goal.allows(p.value) for p in probes):
            return
        if anchor is None and effort:
            anchor = _anchor(own, goal)
        beside = own if anchor is None else [p for p in own if p.quality == anchor]
        at = _next(beside or probes, goal, steps=effort == 0)
        if at is None or any(p.at == at for p in beside):
            if own:
                return
            at = min(probes, key=lambda p: abs(p.value - goal.middle)).at
        now = progress.section(1 - 0.5 ** len(own), 1 - 0.5 ** (len(own) + 1))
        own.append(_probe(encoder, goal, at, effort, now, anchor))
        probes.append(own[-1])
        if goal.low <= own[-1].value <= goal.high:
            return


def _probe(
    encoder: Encoder,
    goal: Goal,
    at: float,
    effort: int,
    progress: Progress | None,
    anchor: int | None = None,
) -> Probe:
    quality = min(max(round(at), 1), MAX_QUALITY) if anchor is None else anchor
    data = encoder.encode(quality, effort, progress, TRADE ** (at - quality))
    return Probe(at, quality, goal.measure(encoder, data), data)


def _anchor(probes: list[Probe], goal: Goal) -> int | None:
    """The quality to fix while only the trade is searched, once two near probes of different quality enclose
    the goal; else None.

    It is the upper quality, because a smaller trade always saves bytes. A larger trade at the lower quality
    could only keep symbols that the search would otherwise drop.
    """
    below, above = _around(probes, goal)
    if below is None or above is None or above.at - below.at > NARROW:
        return None
    return above.quality if above.quality != below.quality else None


def _around(probes: list[Probe], goal: Goal) -> tuple[Probe | None, Probe | None]:
    """The probe of the highest quality below the goal, and of the lowest quality above it."""
    below = max((p for p in probes if p.value < goal.middle), key=lambda p: p.at, default=None)
    above = min((p for p in probes if p.value >= goal.middle), key=lambda p: p.at, default=None)
    return below, above


def _next(probes: list[Probe], goal: Goal, steps: bool) -> float | None:
    """The quality to probe next; None when nothing is left to try between two probes."""
    if not probes:
        return float(START)
    below, above = _around(probes, goal)
    if below is not None and above is not None and below.at < above.at:
        share = (goal.middle - below.value) / (above.value - below.value)
        at = below.at + min(max(share, 0.1), 0.9) * (above.at - below.at)
        if above.at - below.at < (1.5 if steps else 0.02):
            return None
    else:
        last, slope = probes[-1], goal.slope
        if len(probes) > 1 and last.at != probes[-2].at:
            seen = (last.value - probes[-2].value) / (last.at - probes[-2].at)
            slope = min(max(seen, slope / 3), slope * 3)
        at = last.at + (goal.middle - last.value) / slope
    at = min(max(at, LOWEST), HIGHEST)
    if not steps:
        return at
    at = round(at)
    if at in [p.at for p in probes]:
        if below is not None and above is not None and below.at < above.at:
            at = round((below.at + above.at) / 2)
        else:  # the last file is less than a step from the goal: try the next quality
            at += 1 if probes[-1].value < goal.middle else -1
    return float(min(max(at, 1), MAX_QUALITY))


def _log_bytes(encoder: Encoder, data: bytes) -> float:
    return math.log(max(len(data) - encoder.fixed_bytes, 1))


def _psnr_db(encoder: Encoder, data: bytes) -> float:
    a, b = encoder.pixels, encoder.decode(data)
    squares = (
        float(np.square(a[row : row + ROWS].astype(np.float64) - b[row : row + ROWS]).sum())
        for row in range(0, len(a), ROWS)
    )
    return 10 * math.log10(PEAKS[8 * a.itemsize] ** 2 / max(math.fsum(squares) / a.size, TINY))


def _ssim_db(encoder: Encoder, data: bytes) -> float:
    """SSIM as -10 log10(1 - SSIM), which is nearly linear in quality. Source: Wang et al. 2004."""
    if min(encoder.height, encoder.width) < SMALLEST_SSIM_SIDE:
        raise GoalError(f"SSIM needs sides of {SMALLEST_SSIM_SIDE} pixels")
    from pytorch_msssim import ssim

    device = torch.device("cpu")
    a, b = (samples(pixels, device) for pixels in (encoder.pixels, encoder.decode(data)))
    return _decibels(float(ssim(a, b, data_range=1.0)))


def _decibels(ssim: float) -> float:
    return -10 * math.log10(max(1 - ssim, TINY))

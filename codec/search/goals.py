"""A file of the size, or of the likeness, that was asked for: a search over quality.

Quality has 100 steps of some 3 % of the bytes each. At an effort of 1 or more, files between two steps come
from the weight of errors against bits in the rate-distortion search (`trade`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nacre.codec.container import MAX_QUALITY
from nacre.codec.encoder import DEFAULT_EFFORT, HIGHEST_EFFORT, Encoder, check
from nacre.codec.pictures.colour import PictureLike
from nacre.codec.search.progress import Budget, Progress
from nacre.codec.strips import PEAKS, samples
from nacre.entropy.errors import NacreError, UsageError

if TYPE_CHECKING:
    pass

MOST_PROBES = 8
QUICK_PROBES, QUICK_EFFORT = 4, 1  # of them, for efforts that take longer
QUICK_SHARE = 0.1  # of the time
CLOSE = 0.02  # of a size, under it
CLOSE_DB = 0.1  # of a likeness, over it
TINY = 1e-10  # where equal pictures would be infinitely alike
START = 50  # quality
LOWEST, HIGHEST = 0.5, 100.5  # quality, halfway below the lowest step and above the highest
ROWS = 256  # of pixels that are compared at a time
NARROW = 0.6  # steps of quality
TRADE = 1.6  # times what errors weigh, for one step of quality
SMALLEST_SSIM_SIDE = 11  # pixels: its window
LOG_BYTES, DECIBELS = 0.035, 0.17  # what a step of quality changes, about; seen on photographs


class GoalError(NacreError):
    """No quality reaches the goal; the message gives the nearest."""


@dataclass(frozen=True)
class Goal:
    """The range `low` to `high` of a measure that grows with quality."""

    name: str  # "size", "bpp", "psnr" or "ssim"
    wanted: float  # bytes, bits per pixel, dB, 0..1
    low: float
    high: float
    slope: float  # about, for a step of quality
    measure: Callable[[Encoder, bytes], float]
    fixed: int = 0  # bytes that no quality changes

    @property
    def is_size(self) -> bool:
        return self.name in ("size", "bpp")

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def allows(self, value: float) -> bool:
        return value <= self.high if self.is_size else value >= self.low

    def says(self, value: float) -> str:
        """In the unit in which it was asked for."""
        units = {
            "size": "{:.0f} bytes",
            "bpp": "{:.4g} bpp",
            "psnr": "{:.2f} dB",
            "ssim": "an SSIM of {:.4f}",
        }
        return units[self.name].format(value)

    def shown(self, value: float) -> float:
        """A measured value in the unit of the goal."""
        if self.name == "psnr":
            return value
        if self.name == "ssim":
            return 1 - 10 ** (-value / 10)
        reached = math.exp(value) + self.fixed
        return self.wanted * reached / (math.exp(self.high) + self.fixed)


@dataclass(frozen=True)
class Probe:
    """A file that was made on the way."""

    at: float  # quality, between its steps too
    quality: int
    value: float
    data: bytes


@dataclass(frozen=True)
class Reached:
    """The file that reaches a goal, and the work it took."""

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

    One of the four is given. The size is never passed and the likeness always reached, as a rule within 2 %
    of the one and 0.1 dB of the other; the rest is as `encode` takes it. PSNR and SSIM are of the colours
    alone, at every pixel alike.

    Raises GoalError when no quality gets there, and what `encode` raises.
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
    if size is not None or bpp is not None:
        goal = size_goal(encoder, size=size, bpp=bpp)
        try:
            return arrive(encoder, goal, effort, budget)
        except GoalError:  # drawings that cost least without loss: then coarser, as photographs are
            encoder.is_adaptive = False
            return arrive(encoder, goal, effort, budget)
    return arrive(encoder, likeness_goal(psnr=psnr, ssim=ssim), effort, budget)


def size_goal(encoder: Encoder, *, size: float | None = None, bpp: float | None = None) -> Goal:
    """At most so many bytes, or bits per pixel."""
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
    """At least so many dB of PSNR (0..255, all channels together), or so much SSIM."""
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
    """The file that arrives at the goal: a size is never passed, a likeness always reached.

    At most MOST_PROBES files are made, the first ones quickly. With an effort of 0 quality has steps, and
    a goal may be missed by one; so it is when the search is stopped. Raises GoalError when no quality gets
    there, and UsageError.
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
    if not good:  # the end of the scale, if only that is left
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

    The search begins where probes of another effort point to. Each probe takes half of the time that is left;
    when the time is over, any probe that the goal allows ends the search.
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
    """The quality above the goal, when the goal lies between the last of its trades and the quality below.

    The quality above, because a smaller trade always saves bytes. A larger trade saves nothing that the search
    would have spent: it only keeps symbols that the search would have dropped.
    """
    below, above = _around(probes, goal)
    if below is None or above is None or above.at - below.at > NARROW:
        return None
    return above.quality if above.quality != below.quality else None


def _around(probes: list[Probe], goal: Goal) -> tuple[Probe | None, Probe | None]:
    """The nearest under the goal, and over it."""
    below = max((p for p in probes if p.value < goal.middle), key=lambda p: p.at, default=None)
    above = min((p for p in probes if p.value >= goal.middle), key=lambda p: p.at, default=None)
    return below, above


def _next(probes: list[Probe], goal: Goal, steps: bool) -> float | None:
    """Where to look after these probes; None when there is nothing between them."""
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
    """As -10 log10(1 - SSIM), which is nearly straight over quality. Source: Wang et al. 2004."""
    if min(encoder.height, encoder.width) < SMALLEST_SSIM_SIDE:
        raise GoalError(f"SSIM needs sides of {SMALLEST_SSIM_SIDE} pixels")
    from pytorch_msssim import ssim

    device = torch.device("cpu")
    a, b = (samples(pixels, device) for pixels in (encoder.pixels, encoder.decode(data)))
    return _decibels(float(ssim(a, b, data_range=1.0)))


def _decibels(ssim: float) -> float:
    return -10 * math.log10(max(1 - ssim, TINY))

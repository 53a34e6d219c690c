"""Symbols that cost less for what they show: an encoder's work alone, in an ordinary file for any decoder.

What is made small is bits + lambda * squared error, as in training, for the picture at hand. Two searches:

`Descent` goes through the steps of the walk and moves symbols by one where the tables say that it saves
more bits than the gradient of the error says that it costs. One symbol at a position moves at a time,
because those beside it show the same pixels.

`anneal` moves the latent and the hyper-latent along the gradient, through rounding that is drawn at random
and less so from iteration to iteration. Source: stochastic Gumbel annealing, arXiv:2006.04240. Differs: the
means of the contexts get no gradient, for it costs a third of the time and wins nothing; Adam's epsilon is as
large as a usual gradient, or symbols that are certain would drift.

The picture is worked on in windows, so that memory does not depend on its size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.codec import strips
from nacre.codec.tiles import (
    DecodedTile,
    EncodedTile,
    Runner,
    encode_tile,
    finite,
    hyper_latent,
)
from nacre.entropy.tables import MAX_RADIUS
from nacre.entropy.walk import Step, drive, walk
from nacre.models.config import HYPER_STRIDE, STRIDE, ImageConfig
from nacre.models.image import TrainingPrior, gaussian_bits
from nacre.models.scales import LOG2_MAX, LOG2_MIN

WINDOW = 48  # positions of the latent a side, without what is computed around them
ANNEAL_BEYOND = 8  # positions around a window, a multiple of HYPER_STRIDE
PROBE = 0.1  # quantisation steps either way, to see how the gradient changes
CAUTION = 1.2  # of the curvature: moves at other positions are not foreseen
LEARNING_RATE, QUICK = 0.02, 100  # quantisation steps an iteration, in so many iterations or fewer
LAST_RATE = 0.1  # the share of it that is left at the end
EPSILON = 50.0  # times the rate, bits a step: gradients smaller than this move little
HOT, COLD, HOT_SHARE = 0.5, 0.1, 0.4  # temperatures of rounding, and of the iterations that are hot
ANNEALING = 0.9  # of the time; descent is the rest
EDGE = 1e-4  # from whole numbers, where the odds of rounding have no end
SEED = 0  # the same picture gives the same file, on a CPU and without a budget


@dataclass(frozen=True)
class Effort:
    """What a level does."""

    iterations: int  # of annealing
    rounds: int  # of descent, for each step of the walk; 0 is one gradient for all of them


EFFORTS = {
    1: Effort(0, 0),
    2: Effort(0, 2),
    3: Effort(0, 4),
    4: Effort(0, 8),
    5: Effort(60, 4),
    6: Effort(100, 4),
    7: Effort(200, 4),
    8: Effort(400, 4),
    9: Effort(800, 4),
}


class Search:
    """How far a search is, by its own count or by its time, and whether it is over."""

    def __init__(
        self, seconds: float | None = None, goes_on: Callable[[float], bool] | None = None
    ) -> None:
        """`goes_on` is told the share that is done, 0 to 1, and says whether to go on."""
        self._start, self._seconds, self._goes_on = time.perf_counter(), seconds, goes_on
        self.is_over = False

    def reached(self, share: float) -> float:
        """`share`, or more where time is short; 1 when it is over."""
        if self._seconds is not None:
            share = max(share, (time.perf_counter() - self._start) / max(self._seconds, 1e-9))
        share = min(share, 1.0)
        if self._goes_on is not None and not self._goes_on(share):
            share = 1.0
        self.is_over = self.is_over or share >= 1
        return 1.0 if self.is_over else share


@dataclass(frozen=True)
class Part:
    """A part of a search, from `low` to `high` of it."""

    search: Search
    low: float = 0.0
    high: float = 1.0

    def part(self, low: float, high: float) -> Part:
        width = self.high - self.low
        return Part(self.search, self.low + low * width, self.low + high * width)

    def at(self, share: float) -> float:
        """Where the part stands that has done `share` of its work: there or further, where time is short;
        from 1 on it has to stop."""
        width = self.high - self.low
        return (self.search.reached(self.low + share * width) - self.low) / width


@dataclass(frozen=True)
class Target:
    """What is to be shown, and what an error of it costs."""

    runner: Runner
    x: Tensor  # (1, C, H, W), 0..255; H and W of the latent at most
    t: Tensor  # (1,)
    price: float  # bits for a squared level of one sample
    fineness: int = 1  # of the samples: steps to a level
    weight: Tensor | None = None  # (1, 1, H, W) of each pixel's error

    def error(self, x_hat: Tensor, top: int, left: int, is_shown: bool = False) -> Tensor:
        """Bits that the errors of x_hat (1, 3, h, w), unclamped, cost at that place in pixels."""
        return self.error_map(x_hat, top, left, is_shown).sum()

    def error_map(self, x_hat: Tensor, top: int, left: int, is_shown: bool = False) -> Tensor:
        """(h, w) the same of each pixel; no larger than what is left of the picture."""
        bottom, right = top + x_hat.shape[2], left + x_hat.shape[3]
        x = self.x[..., top:bottom, left:right]
        x_hat = x_hat[..., : x.shape[2], : x.shape[3]]
        if x.shape[1] == 1:
            x_hat = x_hat.mean(1, keepdim=True)
        shown = x_hat.clamp(0, 1) * 255
        if is_shown:
            shown = (shown * self.fineness).round() / self.fineness
        squares = (shown - x).square().sum(1)
        if self.weight is not None:
            squares = squares * self.weight[:, 0, top:bottom, left:right]
        return squares[0] * self.price

    def cost(self, tile: EncodedTile) -> float:
        """Bits and what errors cost, of a tile by itself."""
        return float(tile.bits + self.errors(tile.decoded).sum())

    def errors(self, decoded: DecodedTile) -> Tensor:
        """(H, W) bits that the errors at each pixel of a tile cost, decoded by itself.

        Raises NotNumbers.
        """
        out = torch.zeros(self.x.shape[2:], device=self.x.device)
        beyond = strips.halo(self.runner.model.config)
        for row, column in _windows(decoded.y_hat.shape, WINDOW, beyond):
            x_hat = self._synthesis(
                _around(decoded.y_hat, row, column), _around(decoded.features, row, column)
            )
            x_hat = finite(x_hat[:, :, row.core_pixels, column.core_pixels])
            top, left = row.start * STRIDE, column.start * STRIDE
            found = self.error_map(x_hat, top, left, is_shown=True)
            out[top : top + found.shape[0], left : left + found.shape[1]] = found
        return out

    def gradient(self, y_hat: Tensor, features: Tensor) -> Tensor:
        """Bits a quantisation step that y_hat (1, M, h, w) being higher would cost in errors."""
        out = torch.empty_like(y_hat)
        beyond = strips.halo(self.runner.model.config)
        for row, column in _windows(y_hat.shape, WINDOW, 2 * beyond):
            with torch.enable_grad():
                leaf = _around(y_hat, row, column).detach().clone().requires_grad_()
                x_hat = self._synthesis(leaf, _around(features, row, column))
                top, bottom = _seen(row, beyond)
                left, right = _seen(column, beyond)
                x_hat = x_hat[:, :, top:bottom, left:right]
                error = self.error(x_hat, row.low * STRIDE + top, column.low * STRIDE + left)
                (found,) = torch.autograd.grad(error, leaf)
            found = found[..., row.core, column.core]
            out[..., row.start : row.end, column.start : column.end] = found
        return out

    def _synthesis(self, y_hat: Tensor, features: Tensor) -> Tensor:
        with self.runner.autocast():
            return self.runner.model.network.synthesis(y_hat, features, self.t)


def window_size(height: int, width: int, config: ImageConfig) -> int:
    """Positions that are worked on at once, of a latent of that size."""
    side = WINDOW + 2 * max(2 * strips.halo(config), ANNEAL_BEYOND)
    return min(height, side) * min(width, side)


def _windows(size: torch.Size, core: int, beyond: int) -> Iterator[tuple[strips.Span, strips.Span]]:
    """Rows and columns of windows over a latent of that size."""
    for row in strips.spans(size[2], core, beyond):
        for column in strips.spans(size[3], core, beyond):
            yield row, column


def _around(v: Tensor, row: strips.Span, column: strips.Span) -> Tensor:
    """A window of v (1, C, h, w), with what lies around it."""
    return v[..., row.low : row.high, column.low : column.high]


def _seen(span: strips.Span, beyond: int) -> tuple[int, int]:
    """First and last pixel, from `low` on, that a change in the span's own positions can reach."""
    first, last = max(span.low, span.start - beyond), min(span.high, span.end + beyond)
    return (first - span.low) * STRIDE, (last - span.low) * STRIDE


class Descent:
    """Gives `encode_tile` the symbols of each step: rounded, then moved where that pays."""

    def __init__(
        self, target: Target, y: Tensor, plain: DecodedTile, rounds: int, part: Part
    ) -> None:
        """y (1, M, h, w) is what to round; `plain` is how it decodes when it is just rounded."""
        self._target, self._features = target, plain.features
        self._rounds, self._part = rounds, part
        self._y, self._now = y, (plain.y_hat if rounds == 0 else y).clone()
        self._costs = torch.from_numpy(target.runner.model.tables.y.costs).to(y.device)
        generator = torch.Generator().manual_seed(SEED)
        signs = torch.randint(0, 2, y.shape, generator=generator).to(y) * 2 - 1
        self._gradient = target.gradient(self._now, self._features)
        probed = target.gradient(self._now + PROBE * signs, self._features)
        change = signs * (probed - self._gradient) / PROBE
        self._curvature = change.mean((2, 3), keepdim=True).clamp_min(1.0)  # (1, M, 1, 1)

    def choose(self, step: Step) -> Tensor:
        """The symbols (1, M, h, w) of a step, of which those in `where` count."""
        rows, where = step.rows.to(self._y.device).long(), step.where
        is_free = where & torch.isfinite(self._costs[rows, 0])
        symbols = torch.where(is_free, (self._y - step.mean).round(), 0.0)
        for k in range(max(self._rounds, 1)):
            if self._part.at((step.number + k / max(self._rounds, 1)) / 4) >= 1:
                break
            now = torch.where(where, symbols + step.mean, self._now)
            if self._rounds == 0:
                gradient = self._gradient + self._curvature * (now - self._now)
            else:
                gradient = self._target.gradient(now, self._features)
            symbols = self._moved(symbols, gradient, rows, is_free)
        if self._rounds:
            self._now = torch.where(where, symbols + step.mean, self._now)
        return symbols

    def _moved(self, symbols: Tensor, gradient: Tensor, rows: Tensor, is_free: Tensor) -> Tensor:
        """With the move at each position that saves most, if any does."""
        curved = 0.5 * CAUTION * self._curvature
        before = self._bits(rows, symbols)
        up = curved + gradient + self._bits(rows, symbols + 1) - before
        down = curved - gradient + self._bits(rows, symbols - 1) - before
        saved = torch.where(is_free, torch.minimum(up, down), 0.0)
        is_best = (saved <= saved.amin(1, keepdim=True)) & (saved < 0)
        return symbols + torch.where(is_best, torch.where(up < down, 1.0, -1.0), 0.0)

    def _bits(self, rows: Tensor, symbols: Tensor) -> Tensor:
        at = symbols.clamp(-MAX_RADIUS - 1, MAX_RADIUS + 1) + (MAX_RADIUS + 1)
        return self._costs[rows, at.long()]


def anneal(
    target: Target, y: Tensor, z: Tensor, iterations: int, part: Part
) -> tuple[Tensor, Tensor]:
    """y (1, M, h, w) and z (1, Z, ceil(h / 4), ceil(w / 4)) to what is better to round, window by window."""
    y, z = y.clone(), z.clone()
    windows = list(_windows(y.shape, WINDOW, ANNEAL_BEYOND))
    generator = torch.Generator(y.device).manual_seed(SEED)
    for k, (row, column) in enumerate(windows):
        window = _Window(target, y, z, row, column, generator)
        for i in range(iterations):
            share = part.at((k + i / iterations) / len(windows)) * len(windows) - k
            if share >= 1:
                break
            pace = share / i if i and share > 0 else 1 / iterations
            window.step(max(0.0, share), pace)
        window.keep()
    return y, z


class _Window:
    """A window that is annealed, in what lies around it and stays as it is."""

    def __init__(
        self, target: Target, y: Tensor, z: Tensor, row: strips.Span, column: strips.Span,
        generator: torch.Generator,
    ) -> None:  # fmt: skip
        self._target, self._row, self._column, self._generator = target, row, column, generator
        # Views: what is kept in them is kept in the whole.
        self._wholes = (_around(y, row, column), _around(z, _hyper(row), _hyper(column)))
        self._y, self._z = (v.detach().clone().requires_grad_() for v in self._wholes)
        self._is_own = (_own(self._y, row, column), _own(self._z, _hyper(row), _hyper(column)))
        self._adam = torch.optim.Adam([self._y, self._z], LEARNING_RATE, (0.9, 0.99))

    def step(self, share: float, pace: float) -> None:
        """An iteration, with `share` of the way done, of which each iteration does `pace`.

        The more of them there are, the smaller they are: else they wander.
        """
        temperature = HOT * (COLD / HOT) ** max(0.0, (share - HOT_SHARE) / (1 - HOT_SHARE))
        rate = LEARNING_RATE * min(1.0, math.sqrt(QUICK * pace))
        group = self._adam.param_groups[0]
        group["lr"], group["eps"] = rate * (1 - share * (1 - LAST_RATE)), rate * EPSILON
        with torch.enable_grad():
            cost = self._cost(temperature)
            found = torch.autograd.grad(cost, [self._y, self._z])
        if not all(bool(torch.isfinite(gradient).all()) for gradient in found):
            return  # a step nowhere: what was found so far stands
        for v, gradient, is_own in zip((self._y, self._z), found, self._is_own, strict=True):
            v.grad = gradient * is_own
        self._adam.step()

    def keep(self) -> None:
        """Put what was found into the whole."""
        for whole, found, is_own in zip(
            self._wholes, (self._y, self._z), self._is_own, strict=True
        ):
            whole.copy_(torch.where(is_own, found.detach(), whole))

    def _cost(self, temperature: float) -> Tensor:
        """Bits and the price of errors, rounding drawn at random."""
        target, network, y = self._target, self._target.runner.model.network, self._y
        z_hat = self._drawn(self._z, temperature)
        scale_z = network.hyper_scale(target.t).clamp(2.0**LOG2_MIN, 2.0**LOG2_MAX)
        residual, log2_scale = torch.zeros_like(y), torch.zeros_like(y)

        def answer(step: Step) -> Tensor:
            nonlocal residual, log2_scale
            drawn = self._drawn(y - step.mean.detach(), temperature)
            residual = torch.where(step.where, drawn, residual)
            log2_scale = torch.where(step.where, step.rows, log2_scale)
            return drawn

        with target.runner.autocast():
            prior = TrainingPrior(network, z_hat, y.shape)
            y_hat = drive(walk(prior, y.shape, y.device), answer)
            x_hat = network.synthesis(y_hat, prior.features, target.t)
        scale = torch.exp2(log2_scale.clamp(LOG2_MIN, LOG2_MAX))
        bits = gaussian_bits(residual, scale).sum() + gaussian_bits(z_hat, scale_z).sum()
        return bits + target.error(x_hat, self._row.low * STRIDE, self._column.low * STRIDE)

    def _drawn(self, v: Tensor, temperature: float) -> Tensor:
        """Between the whole numbers around v: nearer to one the colder it is, drawn by Gumbel's odds."""
        low = v.detach().floor()
        part = (v - low).clamp(EDGE, 1 - EDGE)
        noise = torch.rand(v.shape, generator=self._generator, device=v.device).clamp(
            EDGE, 1 - EDGE
        )
        odds = (torch.atanh(part) - torch.atanh(1 - part)) / temperature + torch.logit(noise)
        return low + torch.sigmoid(odds / temperature)


def _hyper(span: strips.Span) -> strips.Span:
    """The span in the hyper-latent."""
    low, start = span.low // HYPER_STRIDE, span.start // HYPER_STRIDE
    return strips.Span(start, -(-span.end // HYPER_STRIDE), low, -(-span.high // HYPER_STRIDE))


def _own(v: Tensor, row: strips.Span, column: strips.Span) -> Tensor:
    """(1, 1, h, w) which positions of a window are its own, not around it."""
    own = torch.zeros(1, 1, *v.shape[2:], dtype=torch.bool, device=v.device)
    own[..., row.core, column.core] = True
    return own


def refine_tile(
    target: Target,
    y: Tensor,
    quality: int,
    effort: Effort,
    part: Part,
    plain: EncodedTile,
    cost: float,
) -> EncodedTile:
    """Code y (1, M, h, w), never at a higher cost than `plain`, which is y just rounded and costs `cost`."""
    runner, z = target.runner, None
    best = found = plain
    lowest = cost
    if effort.iterations:
        annealing, part = part.part(0, ANNEALING), part.part(ANNEALING, 1)
        y, z = anneal(target, y, hyper_latent(runner, y), effort.iterations, annealing)
        found = encode_tile(runner, y, quality, z)
        if (cost := target.cost(found)) < lowest:
            best, lowest = found, cost
    if part.at(0) < 1:
        descent = Descent(target, y, found.decoded, effort.rounds, part)
        found = encode_tile(runner, y, quality, z, descent.choose)
        if target.cost(found) < lowest:
            best = found
    return best

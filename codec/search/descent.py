"""Descent: moves symbols of each turn by one where that saves more bits than the added errors cost.

The price of the errors is estimated from its gradient and curvature. Only one channel of a position moves at a
time, because all channels of a position show the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.codec.search.progress import Progress
from nacre.codec.search.target import Target
from nacre.codec.tiles import DecodedTile
from nacre.entropy.tables import MAX_RADIUS
from nacre.entropy.walk import Planes, Step

PROBE = 0.1  # quantisation steps by which all symbols move to measure the curvature
UNDISTURBED = 0.8  # quality input from which on a move need not save more than its estimate
SEED = 0  # fixed: equal input gives an equal file, on a CPU and without a time budget


@dataclass(frozen=True)
class Care:
    """How much a move must promise.

    The estimate of a move ignores moves at other positions, and that a moved symbol disturbs the means and
    scales of symbols after it: most at low qualities, where much is predicted, and in early turns of a walk.
    """

    curvature_low: float  # factor on the curvature at the quality input 0
    curvature_high: float  # at 1
    bits: float  # to be saved at least, at the quality input 0 in the last turn
    early_bits: float  # to be saved beside them before the first turn


STILL = Care(0.4, 0.9, 7.0, 40.0)  # lowest cost of Kodak pictures 4, 13, 20 at five qualities
INTER = Care(1.2, 1.2, 0.0, 0.0)  # most of a frame is predicted from the frame before


class Descent:
    """Chooses the symbols of each step for `encode_tile`: rounding, then moves that lower the cost.

    Planes that the synthesis does not read directly are only rounded.
    """

    def __init__(
        self, target: Target, planes: Planes, plain: DecodedTile, rounds: int, progress: Progress,
        care: Care = STILL,
    ) -> None:  # fmt: skip
        """`planes` are unrounded; `plain` is the tile decoded after plain rounding of them."""
        self._target, self._planes, self._shown = target, planes, plain.shown
        self._rounds, self._progress = rounds, progress
        self._moved = frozenset(planes.keys() & plain.shown.keys())
        start = plain.shown if rounds == 0 else planes
        self._now = {name: start[name].clone() for name in self._moved}
        self._costs = {
            name: torch.from_numpy(target.run.model.tables[name].costs).to(plane.device)
            for name, plane in planes.items()
        }
        self._turns = len(target.run.network.schedule)
        at = float(target.t)
        self._caution = care.curvature_low * (1 - at) + care.curvature_high * at
        self._care, self._disturbed = care, max(0.0, 1 - at / UNDISTURBED)
        self._start_gradient()

    def _start_gradient(self) -> None:
        """Find the gradient at the start, and the curvature from its change along a random vector of signs."""
        generator = torch.Generator(device="cpu").manual_seed(SEED)
        signs = {}
        for name in sorted(self._moved):
            bits = torch.randint(0, 2, self._now[name].shape, generator=generator, device="cpu")
            signs[name] = bits.to(self._now[name]) * 2 - 1
        self._gradient = self._gradient_of(self._now)
        probed = self._gradient_of({k: self._now[k] + PROBE * signs[k] for k in signs})
        self._curvature = {
            k: (signs[k] * (probed[k] - self._gradient[k]) / PROBE)
            .mean((2, 3), keepdim=True)
            .clamp_min(1.0)
            for k in signs
        }  # (1, C, 1, 1) each

    def _gradient_of(self, now: Planes) -> Planes:
        return self._target.gradient({**self._shown, **now}, self._moved)

    def choose(self, step: Step) -> Tensor | None:
        """Symbols (1, C, h, w) of a step, valid where `step.where` holds; None asks for plain rounding."""
        plane = step.turn.plane
        if plane not in self._moved:
            return None
        target, start = step.of(self._planes), step.of(self._now)
        rows = step.rows.to(target.device).long()
        is_free = step.where & torch.isfinite(self._costs[plane][rows, 0])
        symbols = torch.where(is_free, (target - step.mean).round(), 0.0)
        curvature = step.of(self._curvature)
        rounds = max(self._rounds, 1)
        for k in range(rounds):
            if self._progress.at((step.number + k / rounds) / self._turns) >= 1:
                break
            now = torch.where(step.where, symbols + step.mean, start)
            if self._rounds == 0:
                gradient = step.of(self._gradient) + curvature * (now - start)
            else:
                moved = dict(self._now)
                step.put(moved, now)
                gradient = step.of(self._gradient_of(moved))
            symbols = self._better(
                plane, symbols, gradient, curvature, rows, is_free, self._least_saved(step.number)
            )
        if self._rounds:
            step.put(self._now, symbols + step.mean)
        return symbols

    def _least_saved(self, number: int) -> float:
        """The bits that a move in a turn must save by its estimate."""
        left = 1 - number / max(1, self._turns - 1)
        return self._disturbed * (self._care.bits + self._care.early_bits * left**3)

    def _better(
        self, plane: str, symbols: Tensor, gradient: Tensor, curvature: Tensor, rows: Tensor,
        is_free: Tensor, least: float,
    ) -> Tensor:  # fmt: skip
        """`symbols` after the best move of one channel at each position, where it saves `least` bits."""
        curved = 0.5 * self._caution * curvature
        before = self._bits(plane, rows, symbols)
        up = curved + gradient + self._bits(plane, rows, symbols + 1) - before
        down = curved - gradient + self._bits(plane, rows, symbols - 1) - before
        saved = torch.where(is_free, torch.minimum(up, down), 0.0)
        is_best = (saved <= saved.amin(1, keepdim=True)) & (saved < -least)
        return symbols + torch.where(is_best, torch.where(up < down, 1.0, -1.0), 0.0)

    def _bits(self, plane: str, rows: Tensor, symbols: Tensor) -> Tensor:
        at = symbols.clamp(-MAX_RADIUS - 1, MAX_RADIUS + 1) + (MAX_RADIUS + 1)
        return self._costs[plane][rows, at.long()]

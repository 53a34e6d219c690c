"""Descent: moves symbols of each turn by one where that saves more bits than the added errors cost.

The price of the errors is estimated from its gradient and curvature. Only one channel of a position moves at a
time, because all channels of a position show the same pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nacre.codec.search.progress import Progress
from nacre.codec.search.target import Target
from nacre.codec.tiles import DecodedTile
from nacre.entropy.tables import MAX_RADIUS
from nacre.entropy.walk import Planes, Step

PROBE = 0.1  # quantisation steps by which all symbols move to measure the curvature
CAUTION = 1.2  # factor on the curvature, for moves at other positions, which the estimate ignores
SEED = 0  # fixed: equal input gives an equal file, on a CPU and without a time budget


class Descent:
    """Chooses the symbols of each step for `encode_tile`: rounding, then moves that lower the cost.

    Planes that the synthesis does not read directly are only rounded.
    """

    def __init__(
        self, target: Target, planes: Planes, plain: DecodedTile, rounds: int, progress: Progress
    ) -> None:
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
            symbols = self._better(plane, symbols, gradient, curvature, rows, is_free)
        if self._rounds:
            step.put(self._now, symbols + step.mean)
        return symbols

    def _better(
        self, plane: str, symbols: Tensor, gradient: Tensor, curvature: Tensor, rows: Tensor,
        is_free: Tensor,
    ) -> Tensor:  # fmt: skip
        """`symbols` after the move of one channel at each position that lowers the cost most, if any does."""
        curved = 0.5 * CAUTION * curvature
        before = self._bits(plane, rows, symbols)
        up = curved + gradient + self._bits(plane, rows, symbols + 1) - before
        down = curved - gradient + self._bits(plane, rows, symbols - 1) - before
        saved = torch.where(is_free, torch.minimum(up, down), 0.0)
        is_best = (saved <= saved.amin(1, keepdim=True)) & (saved < 0)
        return symbols + torch.where(is_best, torch.where(up < down, 1.0, -1.0), 0.0)

    def _bits(self, plane: str, rows: Tensor, symbols: Tensor) -> Tensor:
        at = symbols.clamp(-MAX_RADIUS - 1, MAX_RADIUS + 1) + (MAX_RADIUS + 1)
        return self._costs[plane][rows, at.long()]

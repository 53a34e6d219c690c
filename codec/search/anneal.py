"""Annealing: gradient descent on all planes, through stochastic rounding whose temperature falls.

Source: stochastic Gumbel annealing, arXiv:2006.04240. Differences: the means of the contexts get no gradient,
which would take a third of the time and gain nothing; Adam's epsilon is as large as a usual gradient, because
with a small one symbols of certain rounding drift. A tile is annealed in windows, to bound memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nacre.codec import strips
from nacre.codec.areas import Span
from nacre.codec.search.progress import Progress
from nacre.codec.search.target import Target, annealing_halo, window_side, windows
from nacre.entropy.walk import Planes, Step, drive, walk, zeros
from nacre.models.parts.rate import gaussian_bits, scale_of

LEARNING_RATE, QUICK = 0.02, 100  # quantisation steps an iteration, for up to QUICK iterations
LAST_RATE = 0.1  # of the learning rate, at the last iteration
EPSILON = 50.0  # Adam's epsilon by learning rate: gradients below it, in bits a step, move little
# First and last temperature of rounding; the share of iterations at the first.
HOT, COLD, HOT_SHARE = 0.5, 0.1, 0.4
EDGE = 1e-4  # distance kept from 0 and 1, where the odds of rounding are infinite
SEED = 0  # fixed: equal input gives an equal file, on a CPU and without a time budget


def anneal(target: Target, planes: Planes, iterations: int, progress: Progress) -> Planes:
    """Move all planes (1, C, h, w) of a tile to values of a lower cost once rounded.

    `iterations` are made in each window, fewer when the time runs out.
    """
    planes = {name: plane.clone() for name, plane in planes.items()}
    network = target.run.network
    strides = {name: plane.stride // target.reach.stride for name, plane in network.planes.items()}
    halo = annealing_halo(network)
    finest = next(name for name, factor in strides.items() if factor == 1)
    size = strips.size_of({finest: planes[finest]})
    found = list(windows(size, window_side(target.reach), halo))
    generator = torch.Generator(target.x.device).manual_seed(SEED)
    for k, (row, column) in enumerate(found):
        window = AnnealedWindow(target, planes, strides, row, column, generator)
        for i in range(iterations):
            share = progress.at((k + i / iterations) / len(found)) * len(found) - k
            if share >= 1:
                break
            pace = share / i if i and share > 0 else 1 / iterations
            window.step(max(0.0, share), pace)
        window.keep()
    return planes


class AnnealedWindow:
    """A window under annealing; the positions of its halo stay fixed."""

    def __init__(
        self, target: Target, planes: Planes, strides: dict[str, int], row: Span, column: Span,
        generator: torch.Generator,
    ) -> None:  # fmt: skip
        self._target, self._row, self._column, self._generator = target, row, column, generator
        # Views: a write to them is a write to the planes.
        self._wholes: Planes = {}
        self._is_own: Planes = {}
        for name, plane in planes.items():
            rows, columns = row.coarser(strides[name]), column.coarser(strides[name])
            view = plane[..., rows.low : rows.high, columns.low : columns.high]
            own = torch.zeros(1, 1, *view.shape[2:], dtype=torch.bool, device=view.device)
            own[..., rows.core, columns.core] = True
            self._wholes[name], self._is_own[name] = view, own
        self._leaves = {k: v.detach().clone().requires_grad_() for k, v in self._wholes.items()}
        self._adam = torch.optim.Adam(list(self._leaves.values()), LEARNING_RATE, (0.9, 0.99))

    def step(self, progress: float, pace: float) -> None:
        """One iteration at a progress in 0..1; `pace` is the progress of one iteration.

        A smaller pace gives a smaller learning rate: otherwise long runs wander.
        """
        temperature = HOT * (COLD / HOT) ** max(0.0, (progress - HOT_SHARE) / (1 - HOT_SHARE))
        rate = LEARNING_RATE * min(1.0, math.sqrt(QUICK * pace))
        group = self._adam.param_groups[0]
        group["lr"], group["eps"] = rate * (1 - progress * (1 - LAST_RATE)), rate * EPSILON
        leaves = list(self._leaves.values())
        with torch.enable_grad():
            found = torch.autograd.grad(self._cost(temperature), leaves)
        if not all(bool(torch.isfinite(gradient).all()) for gradient in found):
            return  # keep the values
        for name, gradient in zip(self._leaves, found, strict=True):
            self._leaves[name].grad = gradient * self._is_own[name]
        self._adam.step()

    def keep(self) -> None:
        """Write the values of the window, without its halo, to the planes."""
        for name, whole in self._wholes.items():
            whole.copy_(torch.where(self._is_own[name], self._leaves[name].detach(), whole))

    def _cost(self, temperature: float) -> Tensor:
        """Lagrangian cost in bits, with stochastic rounding."""
        target, leaves, stride = self._target, self._leaves, self._target.reach.stride
        shapes = {name: leaf.shape for name, leaf in leaves.items()}
        symbols, log2_scale = (zeros(shapes, target.x.device) for _ in range(2))

        def answer(step: Step) -> Tensor:
            drawn = self._drawn(step.of(leaves) - step.mean.detach(), temperature)
            step.put(symbols, drawn)
            step.put(log2_scale, step.rows)
            return drawn

        with target.run.computing():
            prior = target.run.network.prior(shapes, target.t)
            known = drive(walk(prior, target.x.device), answer)
            x_hat = target.run.network.synthesise(prior.shown(known), target.t)
        bits = sum(
            (gaussian_bits(symbols[name], scale_of(log2_scale[name])).sum() for name in leaves),
            torch.zeros((), dtype=torch.float32, device=target.x.device),
        )
        return bits + target.error(x_hat, self._row.low * stride, self._column.low * stride)

    def _drawn(self, v: Tensor, temperature: float) -> Tensor:
        """Gumbel-softmax rounding: a random value between the integers around v, nearer to one when cold."""
        low = v.detach().floor()
        part = (v - low).clamp(EDGE, 1 - EDGE)
        noise = torch.rand(v.shape, generator=self._generator, device=v.device, dtype=torch.float32)
        noise = noise.clamp(EDGE, 1 - EDGE)
        odds = (torch.atanh(part) - torch.atanh(1 - part)) / temperature + torch.logit(noise)
        return low + torch.sigmoid(odds / temperature)

"""The order in which the symbols of a latent are coded, and what each step may look at.

Training, encoder and decoder run `walk`; none of them holds an order of its own, so they cannot
disagree. The walk does not know where symbols come from: it asks for those of each step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

STEPS = 4  # each codes one position of every 2x2 block, another one for each group of channels
PHASE = ((0, 2), (3, 1))  # the turn of a position in its block: the diagonal first
MAX_MAGNITUDE = 8  # larger magnitudes look the same to the scale network


class Prior(Protocol):
    """What is known about the symbols of a step."""

    def mean(self, y_hat: Tensor, step: int) -> Tensor:
        """(B, M, h, w) float, in quantisation steps, from what is decoded so far (zero elsewhere)."""

    def rows(self, magnitudes: Tensor, step: int) -> Tensor:
        """(B, M, h, w) table rows, from integers alone: min(|symbol|, MAX_MAGNITUDE), zero elsewhere.

        While training: log2 of the scale instead, which is what a row stands for.
        """


@dataclass(frozen=True)
class Step:
    """One step of the walk: the elements `where` are to be given, as their mean plus a symbol."""

    number: int  # 0..STEPS - 1
    where: Tensor  # (1, M, h, w) bool
    mean: Tensor  # (B, M, h, w) float; machines may differ in the last bits
    rows: Tensor  # (B, M, h, w) equal on every machine; nothing else selects a table


@lru_cache(maxsize=4)
def step_masks(channels: int, height: int, width: int, device: torch.device) -> tuple[Tensor, ...]:
    """STEPS masks (1, channels, height, width), of which each element is in exactly one."""
    with torch.inference_mode(False):  # they are kept, and serve training too
        phase = torch.tensor(PHASE, device=device)
        rows, columns = (torch.arange(n, device=device) % 2 for n in (height, width))
        group = torch.arange(channels, device=device) * STEPS // channels
        turn = (phase[rows][:, columns] + group[:, None, None]) % STEPS
        return tuple((turn == k)[None] for k in range(STEPS))


def walk(prior: Prior, shape: torch.Size, device: torch.device) -> Generator[Step, Tensor, Tensor]:
    """Yield the steps of a latent of `shape` (B, M, h, w) in stream order; returns y_hat.

    Each step is answered with (B, M, h, w) symbols, of which those in `where` are used.
    """
    y_hat = torch.zeros(shape, device=device)
    magnitudes = torch.zeros(shape, device=device)
    for k, where in enumerate(step_masks(shape[1], shape[2], shape[3], device)):
        mean, rows = prior.mean(y_hat, k), prior.rows(magnitudes, k)
        symbols = yield Step(k, where, mean, rows)
        y_hat = torch.where(where, symbols + mean, y_hat)
        seen = symbols.detach().round().abs().clamp(max=MAX_MAGNITUDE)
        magnitudes = torch.where(where, seen, magnitudes)
    return y_hat


def drive(steps: Generator[Step, Tensor, Tensor], answer: Callable[[Step], Tensor]) -> Tensor:
    """Run a walk to its end, answering each step with `answer`; returns y_hat."""
    step = next(steps)
    while True:
        try:
            step = steps.send(answer(step))
        except StopIteration as end:
            return end.value

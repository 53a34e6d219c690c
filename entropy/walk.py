"""The walk over all planes of a latent, in the order of a schedule: the only place where symbols meet means.

Training, encoder, decoder and search run `walk`; none of them holds an order of its own, so they cannot
disagree. The walk does not know where symbols come from: it asks for the symbols of each turn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nacre.entropy.schedule import Schedule, Turn

Planes = dict[str, Tensor]  # by name, (B, C, h, w) each


class Prior(Protocol):
    """Gives one walk over a latent its means and table rows; used for one walk only."""

    schedule: Schedule
    shapes: Mapping[str, torch.Size]  # (B, C, h, w) of every plane

    def mean(self, turn: int, known: Planes) -> Tensor:
        """(B, C, h, w) float, in quantisation steps, for the channels of the turn.

        `known` has mean plus symbol where a plane is decoded, zero elsewhere.
        """

    def rows(self, turn: int, seen: Planes) -> Tensor:
        """(B, C, h, w) table rows for the channels of the turn.

        `seen` has the symbols where a plane is decoded, zero elsewhere. While coding they are whole
        numbers, and rows must come from them by exact arithmetic alone, whether means were asked for or not:
        a file can be read for its symbols only. While training a row is log2 of the
        scale, a float; `seen` then carries gradients.
        """

    def settle(self, turn: int, known: Planes) -> Planes:
        """`known` after a turn, for latent residual prediction; unchanged by most priors."""


@dataclass(frozen=True)
class Step:
    """One turn of a walk: the elements `where` are wanted, as their mean plus a symbol."""

    number: int  # index of the turn in the schedule
    turn: Turn
    where: Tensor  # (1, C, h, w) bool
    mean: Tensor  # (B, C, h, w) float; machines may differ in the last bits
    rows: Tensor  # (B, C, h, w) equal on every machine; nothing else selects a table

    def of(self, planes: Mapping[str, Tensor]) -> Tensor:
        """(B, C, h, w) the channels of this turn in planes of the same shapes."""
        return planes[self.turn.plane][:, self.turn.slice]

    def put(self, planes: Planes, values: Tensor) -> None:
        """Replace the elements of this turn by `values` (B, C, h, w), in a new tensor."""
        whole = planes[self.turn.plane]
        is_whole = self.turn.is_whole
        own = values if is_whole else torch.where(self.where, values, whole[:, self.turn.slice])
        channels = self.turn.channels
        if len(channels) == whole.shape[1]:
            planes[self.turn.plane] = own
        else:
            parts = (whole[:, : channels.start], own, whole[:, channels.stop :])
            planes[self.turn.plane] = torch.cat(parts, 1)


Steps = Generator[Step, Tensor, Planes]


def walk(prior: Prior, device: torch.device) -> Steps:
    """Yield the steps of a latent in stream order; returns its planes, mean plus symbol.

    Each step is answered with (B, C, h, w) symbols, of which those in `where` are used.
    """
    known, seen = zeros(prior.shapes, device), zeros(prior.shapes, device)
    for number, turn in enumerate(prior.schedule):
        height, width = prior.shapes[turn.plane][2:]
        where = turn.where(height, width, device)
        step = Step(number, turn, where, prior.mean(number, known), prior.rows(number, seen))
        symbols = yield step
        step.put(known, symbols + step.mean)
        step.put(seen, symbols)
        known = prior.settle(number, known)
    return known


def drive(steps: Steps, answer: Callable[[Step], Tensor]) -> Planes:
    """Run a walk to its end, answering each step with `answer`; returns its planes."""
    step = next(steps)
    while True:
        try:
            step = steps.send(answer(step))
        except StopIteration as end:
            found: Planes = end.value
            return found


def zeros(shapes: Mapping[str, torch.Size], device: torch.device) -> Planes:
    """Planes of these shapes, float32."""
    return {
        plane: torch.zeros(shape, dtype=torch.float32, device=device)
        for plane, shape in shapes.items()
    }

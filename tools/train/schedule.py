"""The learning rate over the steps of a run: a linear warm-up, a constant rate, at last a fall to zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

PACE_MARGIN = (
    0.95  # of the steps that fit in the time left; evaluations and checkpoints take the rest
)


@dataclass
class Fall:
    """The end of the schedule: the learning rate falls to zero along a half cosine."""

    start: int  # step
    steps: int


@dataclass
class Schedule:
    """The rate of a step; it depends on no other state, so a resumed run continues the same curve."""

    constant: float  # rate between warm-up and fall
    warmup_steps: int
    warm_from: int = 0  # step at which the optimiser was new
    fall: Fall | None = None

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        rate = self.constant * min(1.0, (step - self.warm_from + 1) / self.warmup_steps)
        if self.fall is not None:
            done = min(1.0, max(0.0, (step - self.fall.start) / self.fall.steps))
            rate *= 0.5 + 0.5 * math.cos(math.pi * done)
        return rate

    def has_ended(self, step: int) -> bool:
        """True when a fall is complete and the learning rate is zero."""
        return self.fall is not None and step >= self.fall.start + self.fall.steps


class Pace:
    """Steps a second, measured from the second report on: the first steps compile and allocate."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None

    def report(self, step: int, seconds: float) -> None:
        """Tell that `step` was reached after `seconds` of the run."""
        self._first = self._first or (step, seconds)
        self._last = (step, seconds)

    def steps_in(self, seconds: float) -> int:
        """The steps that fit in a time, with a margin, at least 1; 0 while the pace is not known."""
        if self._first is None or self._last is None or self._last[1] <= self._first[1]:
            return 0
        pace = (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])
        return max(1, int(PACE_MARGIN * pace * seconds))

"""Progress of a search in 0..1, by its own count or its time budget, and the moment at which it must stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


class Budget:
    """The time limit of a search, and the callback that may end it."""

    def __init__(
        self, seconds: float | None = None, goes_on: Callable[[float], bool] | None = None
    ) -> None:
        """`goes_on` gets the progress in 0..1 and returns whether the search may go on."""
        self._start, self._seconds, self._goes_on = time.perf_counter(), seconds, goes_on
        self.is_over = False

    def reached(self, progress: float) -> float:
        """Progress by work or by time, whichever is larger; 1 means that the search must stop."""
        if self._seconds is not None:
            elapsed = (time.perf_counter() - self._start) / max(self._seconds, 1e-9)
            progress = max(progress, elapsed)
        progress = min(progress, 1.0)
        if self._goes_on is not None and not self._goes_on(progress):
            progress = 1.0
        self.is_over = self.is_over or progress >= 1
        return 1.0 if self.is_over else progress


@dataclass(frozen=True)
class Progress:
    """A section of a search, from `low` to `high` of the whole."""

    budget: Budget
    low: float = 0.0
    high: float = 1.0

    def section(self, low: float, high: float) -> Progress:
        """A section of this section."""
        width = self.high - self.low
        return Progress(self.budget, self.low + low * width, self.low + high * width)

    def at(self, share: float) -> float:
        """Progress in this section when `share` of its work is done; 1 or more means that it must stop now."""
        width = self.high - self.low
        return (self.budget.reached(self.low + share * width) - self.low) / width

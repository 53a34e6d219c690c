"""Lets a training loop end after a whole step when the process is asked to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopSignals:
    """Records SIGINT and SIGTERM, so that the loop can end after a whole step."""

    KINDS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._before: list[Any] = []

    def __enter__(self) -> StopSignals:
        # Signal handlers are not allowed in other threads.
        if threading.current_thread() is threading.main_thread():
            self._before = [signal.signal(kind, self._hear) for kind in self.KINDS]
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in zip(self.KINDS, self._before, strict=False):
            signal.signal(kind, handler)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

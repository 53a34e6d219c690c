"""Measures the seconds that entropy coding takes inside a longer computation.

    with measured() as clock:
        codec.decode(data)
    print(clock.seconds)

The coder adds to the clock of its context, so threads do not count for each other. Without a clock it
reads no time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Clock:
    """The seconds added up so far."""

    seconds: float = 0.0


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextmanager
def measured() -> Iterator[Clock]:
    """A clock of the entropy coding in the body; an outer clock does not get these seconds."""
    clock = Clock()
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)


def timed(function: Callable[P, T]) -> Callable[P, T]:
    """Make the function add its seconds to the clock; it must not call another timed function."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        clock = _clock.get()
        if clock is None:
            return function(*args, **kwargs)
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            clock.seconds += time.perf_counter() - start

    return call

"""A cached attribute without a lock.

Before Python 3.12 `functools.cached_property` has a lock that all objects of a class share: threads wait for
each other's computations, and a process that is forked during one waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """Like `cached_property`; if two threads compute the value at once, one result is kept."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> once[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> once[T] | T:
        if instance is None:
            return self
        # Later look-ups find the value in __dict__ first, as this class has no __set__.
        kept: T = instance.__dict__.setdefault(self._name, self._compute(instance))
        return kept

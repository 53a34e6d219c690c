"""An attribute that is computed when it is first asked for, and kept, without a lock.

`functools.cached_property` has one before Python 3.12, which all objects of a class share: threads wait for
each other's computations, and a process that is forked meanwhile waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):
    """As `cached_property`; two threads may both compute it, and then one result is kept."""

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
        # From now on found there, before this: it has no __set__.
        kept: T = instance.__dict__.setdefault(self._name, self._compute(instance))
        return kept

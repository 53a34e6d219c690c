"""The threads of the networks: one for small pictures, one in a forked process, and waits that sleep.

torch computes with OpenMP, whose threads wait for each other in a loop. On a busy machine the loop takes the
processor from the thread that it waits for: with two busy cores, two threads took 4 to 25 times as long as one;
with waits that sleep, as long as one. OpenMP reads how to wait once, when torch is loaded: call `wait_asleep`
before, or set OMP_WAIT_POLICY.

A forked process has the bookkeeping of its parent's threads but not the threads, and would wait for them for
ever. It therefore computes with one thread; `spawn` and `forkserver` of multiprocessing have no such limit. A
lock that another thread holds at the fork stays held in the child: fork while nothing is coded.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Up to this size a second thread gains next to nothing, in encoding at efforts 0 and 1 and in decoding.
SMALL_PIXELS = 1 << 16
MOST_SIDE_BY_SIDE = 4  # calls at a time, each with memory of its own
WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}  # they set how threads wait


def wait_asleep() -> None:
    """Let waiting threads sleep, unless the user has set how they wait; no effect once torch is imported."""
    if "torch" not in sys.modules and not WAITING & os.environ.keys():
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


@contextmanager
def suited(pixels: int, chosen: int | None = None) -> Iterator[None]:
    """Run the body with one thread for a picture of up to SMALL_PIXELS, unless the user has `chosen` a number.

    The number of threads belongs to the process: computations at the same time share it.
    """
    import torch

    before = torch.get_num_threads()
    if chosen is not None or pixels > SMALL_PIXELS or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def side_by_side(work: Callable[..., T], arguments: Sequence[tuple[Any, ...]]) -> list[T]:
    """The results of `work` for each of the arguments, in order.

    As many run at a time as torch has threads, at most MOST_SIDE_BY_SIDE, each with one thread; the results
    equal results of one thread. Seconds that `work` adds to a clock (`entropy.clock`) count. Raises the first
    error.
    """
    import torch

    calls = OrderedCalls[T](min(torch.get_num_threads(), len(arguments), MOST_SIDE_BY_SIDE))
    try:
        for own in arguments:
            calls.call(work, *own)
        return list(calls.results(all_of_them=True))
    finally:
        calls.close()


class OrderedCalls(Generic[T]):
    """Results of calls in the order of the calls, `count` calls at a time, each with one thread.

    The number of threads of the process is one until `close`. With a count of 1, calls run at once, with all
    threads.
    """

    def __init__(self, count: int) -> None:
        import torch

        self._count, self._before = count, torch.get_num_threads()
        self._waiting: deque[tuple[Future[T], bool]] = deque()  # True: of a call
        self._pool = ThreadPoolExecutor(count) if count > 1 else None
        if self._pool is not None:
            torch.set_num_threads(1)

    def call(self, work: Callable[..., T], *arguments: Any) -> None:
        """Have a result computed; an error is raised where the result is taken."""
        if self._pool is None:
            self.put(work(*arguments))
        else:
            found = self._pool.submit(copy_context().run, _without_gradients, work, *arguments)
            self._waiting.append((found, True))

    def put(self, result: T) -> None:
        """Add a result that is known."""
        known: Future[T] = Future()
        known.set_result(result)
        self._waiting.append((known, False))

    def results(self, all_of_them: bool = False) -> Iterator[T]:
        """Take the first results as far as they are ready; wait for them while more than `count` calls wait."""
        while self._waiting:
            is_full = sum(is_call for _, is_call in self._waiting) > self._count
            if not (all_of_them or is_full or self._waiting[0][0].done()):
                return
            yield self._waiting.popleft()[0].result()

    def close(self) -> None:
        """Wait for the calls that have begun, and forget all results."""
        import torch

        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._before)


def _without_gradients(work: Callable[..., T], *arguments: Any) -> T:
    import torch

    with torch.inference_mode(False), torch.no_grad():
        return work(*arguments)


def _be_alone() -> None:
    """Use one thread, in a child that was just forked."""
    set_number = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_number is not None:
        set_number(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_be_alone)

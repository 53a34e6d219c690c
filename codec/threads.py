"""How many threads the networks take: one for small pictures, one in a forked process, none awake.

torch computes with OpenMP. Its threads wait for each other in a loop, which on a busy machine takes the
processor from the thread that is waited for: with two busy cores, two threads took 4 to 25 times as long as
one, and as long as one where they wait asleep. How they wait is read once, when torch is loaded: call
`wait_asleep` before, or set OMP_WAIT_POLICY.

A forked process has the bookkeeping of its parent's threads and none of the threads, and would wait for them
for ever. So it computes with one thread; `spawn` and `forkserver` of multiprocessing have no such limit. What
another thread holds at the fork stays held in the child, as always: fork while nothing is coded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")

# Up to here a second thread wins next to nothing, encoding at efforts 0 and 1 and decoding.
SMALL_PIXELS = 1 << 16
MOST_SIDE_BY_SIDE = 4  # pieces of work, each with memory of its own
WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}  # what says how threads wait


def wait_asleep() -> None:
    """Let threads that wait sleep; of use before torch is imported. What the user has set stays."""
    if "torch" not in sys.modules and not WAITING & os.environ.keys():
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


@contextmanager
def suited(pixels: int, chosen: int | None = None) -> Iterator[None]:
    """One thread for as small a picture, for all that runs inside; `chosen` by the user, it stays as it is.

    The number of threads belongs to the process: others that compute at the same time share it.
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

    As many at a time as torch has threads, four at most, each with one thread: so they are those of one thread.
    What work adds to a clock (`entropy.clock`) counts, and the first error is raised.
    """
    import torch

    count = min(torch.get_num_threads(), len(arguments), MOST_SIDE_BY_SIDE)
    if count < 2:
        return [work(*own) for own in arguments]

    def alone(own: tuple[Any, ...]) -> T:
        with torch.inference_mode(False), torch.no_grad():
            return work(*own)

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count) as pool:
            waiting = [pool.submit(copy_context().run, alone, own) for own in arguments]
            return [one.result() for one in waiting]
    finally:
        torch.set_num_threads(before)


def _be_alone() -> None:
    """In a child that was just forked, before it computes."""
    set_number = getattr(sys.modules.get("torch"), "set_num_threads", None)
    if set_number is not None:
        set_number(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_be_alone)

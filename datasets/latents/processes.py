"""Codes pictures in processes of this machine; results come in the order of the pictures."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain

from nacre.datasets.latents.coding import CodedSample, Settings, code
from nacre.datasets.latents.index import BadPicture
from nacre.datasets.latents.sources import Item
from nacre.entropy.errors import NacreError

AHEAD = 4  # pictures queued for each process
SPAWN = multiprocessing.get_context("spawn")  # thread pools do not survive a fork
DIED = "the process died"

Found = CodedSample | BadPicture


def in_processes(jobs: int) -> Callable[[Iterator[Item], Settings], Iterator[tuple[Item, Found]]]:
    """A function that codes in `jobs` processes.

    When a process dies, the next picture in order is tried again in a process of its own and is bad if it kills
    that, too. All other queued pictures are queued again.
    """

    def coded(items: Iterator[Item], settings: Settings) -> Iterator[tuple[Item, Found]]:
        waiting: deque[tuple[Item, Future[Found]]] = deque()
        executor: ProcessPoolExecutor | None = None
        try:
            while True:
                while len(waiting) < AHEAD * jobs:
                    item = next(items, None)
                    if item is None:
                        break
                    executor = executor or _executor(jobs)
                    waiting.append((item, _given(executor, item, settings)))
                if not waiting:
                    return
                item, future = waiting.popleft()
                try:
                    found = future.result()
                except BrokenProcessPool:
                    found = _alone(item, settings)
                    executor, again = None, [waiting_item for waiting_item, _ in waiting]
                    items, waiting = chain(again, items), deque()
                yield item, found
        finally:
            if executor is not None:
                executor.shutdown(wait=True, cancel_futures=True)

    return coded


def _executor(jobs: int) -> ProcessPoolExecutor:
    """A pool of `jobs` processes. Raises NacreError if no process can be started."""
    executor = ProcessPoolExecutor(jobs, SPAWN, _begin)
    try:
        executor.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise NacreError(
            "processes cannot start; a script that packs needs `if __name__ == '__main__':`"
        ) from error
    return executor


def _given(executor: ProcessPoolExecutor, item: Item, settings: Settings) -> Future[Found]:
    try:
        return executor.submit(code, item, settings)
    except BrokenProcessPool as error:
        future: Future[Found] = Future()
        future.set_exception(error)
        return future


def _alone(item: Item, settings: Settings) -> Found:
    with _executor(1) as executor:
        try:
            return executor.submit(code, item, settings).result()
        except BrokenProcessPool:
            return BadPicture(item.key, DIED)


def _begin() -> None:
    """Set up a new process: it ignores Ctrl-C, and ends when its parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

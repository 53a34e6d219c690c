"""Worker processes: they send back rows one by one, and a process that dies is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Protocol, cast

from nacre.entropy.errors import NacreError
from nacre.tools.evaluate.results import Failure, Row

ATTEMPTS = 2  # for a quality whose process dies
PATIENCE_SECONDS = 10  # for a process that was asked to end
SPAWN = multiprocessing.get_context("spawn")  # thread pools do not survive a fork
READY = "ready"  # the first message of a worker
DEAD = "dead"  # stands for the end of its pipe


class WorkerTask(Protocol):
    """One picture or clip, one codec and some qualities: a dataclass that can be sent to a process."""

    @property
    def label(self) -> str:
        """Name in the results."""

    @property
    def qualities(self) -> tuple[float, ...]: ...

    def rows(self) -> Iterator[Row | Failure]:
        """Yield a row or a failure for each quality, in order."""


class _Job:
    """A task and its qualities that have no result yet."""

    def __init__(self, task: WorkerTask) -> None:
        self.task = task
        self.left = deque(task.qualities)
        self.deaths = 0  # of processes, at the first remaining quality

    def died(self) -> Failure | None:
        """Count a death. Return a Failure when its quality has had all attempts."""
        self.deaths += 1
        if self.deaths < ATTEMPTS:
            return None
        self.deaths = 0
        return Failure(self.task.label, self.left.popleft(), "the process died")


class _Worker:
    """A process and this end of its pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.job: _Job | None = None

    def give(self, job: _Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it has died, and `receive` returns DEAD
            self.pipe.send(replace(cast("Any", job.task), qualities=tuple(job.left)))

    def receive(self) -> Row | Failure | str:
        try:
            found = self.pipe.recv()
        except (EOFError, OSError):
            return DEAD
        if self.job is not None and found != READY:
            self.job.left.popleft()
            self.job.deaths = 0
            if not self.job.left:
                self.job = None
        return found

    def ask_to_end(self) -> None:
        self.pipe.close()
        if self.job is not None:
            self.process.terminate()

    def end(self) -> int | None:
        """End the process and return its exit code."""
        self.ask_to_end()
        self.process.join(PATIENCE_SECONDS)
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def run_all(tasks: Sequence[WorkerTask], jobs: int) -> Iterator[tuple[WorkerTask, Row | Failure]]:
    """Run tasks in `jobs` processes and yield each result as it is measured.

    When a process dies, a new one tries the quality once more; a second death makes it a Failure. Other
    processes continue. Raises NacreError if no process can be started.
    """
    waiting = deque(_Job(task) for task in tasks)
    workers = {_Worker() for _ in range(min(jobs, len(waiting)))}
    has_started = False
    try:
        while True:
            for worker in workers:
                if worker.job is None and waiting:
                    worker.give(waiting.popleft())
            busy = {w.pipe: (w, w.job) for w in workers if w.job is not None}
            if not busy:
                return
            for pipe in connection.wait(list(busy)):
                worker, job = busy[cast("Connection", pipe)]
                found = worker.receive()
                if found == READY:
                    has_started = True
                elif found == DEAD:
                    workers.remove(worker)
                    code = worker.end()
                    if not has_started:
                        raise NacreError(f"measuring processes cannot start: one ended with {code}")
                    workers.add(_Worker())
                    if failure := job.died():
                        yield job.task, failure
                    if job.left:
                        waiting.appendleft(job)
                else:
                    yield job.task, cast("Row | Failure", found)
    finally:
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.end()


def _serve(pipe: Connection) -> None:
    """Run in a worker: answer each task with its rows, until the pipe closes."""
    signal.signal(signal.SIGTERM, _end)
    try:
        pipe.send(READY)
        while True:
            for found in pipe.recv().rows():
                pipe.send(found)
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return


def _end(_number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that a program started by a codec is ended, too."""
    sys.exit(1)

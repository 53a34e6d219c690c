"""Tasks in worker processes: rows come back one by one, and a process that dies is replaced."""

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
from typing import cast

from nacre.entropy.errors import NacreError
from nacre.tools.evaluate.measure import Task, run_task
from nacre.tools.evaluate.results import Failure, Row

ATTEMPTS = 2  # at a quality whose process dies
PATIENCE_SECONDS = 10  # for a process that was asked to end
SPAWN = multiprocessing.get_context("spawn")  # thread pools do not survive a fork
READY = None  # the first message of a worker


class _Job:
    """A task and the qualities of it that have no result yet."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.left = deque(task.qualities)
        self.deaths = 0  # of processes, at the first quality that is left


class _Worker:
    """A process and our end of the pipe to it."""

    def __init__(self) -> None:
        self.pipe, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.is_ready = False
        self.job: _Job | None = None

    def give(self, job: _Job) -> None:
        self.job = job
        with contextlib.suppress(OSError):  # it has died: reading will say so
            self.pipe.send(replace(job.task, qualities=tuple(job.left)))

    def end(self) -> int | None:
        """End the process at once and return its exit code."""
        self.pipe.close()
        if self.job is not None:
            self.process.terminate()
        self.process.join(PATIENCE_SECONDS)
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def run_all(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Row | Failure]]:
    """Run tasks in `jobs` processes and yield each result as it is measured.

    A quality at which a process dies is tried once more in another process, then it is a Failure; the other
    processes go on. Raises NacreError when processes cannot be started at all.
    """
    waiting = deque(_Job(task) for task in tasks)
    workers = {_Worker() for _ in range(min(jobs, len(waiting)))}
    try:
        while True:
            for worker in workers:
                if worker.job is None and waiting:
                    worker.give(waiting.popleft())
            busy = {worker.pipe: worker for worker in workers if worker.job is not None}
            if not busy:
                return
            for pipe in connection.wait(list(busy)):
                worker = busy[cast("Connection", pipe)]
                job = cast("_Job", worker.job)
                try:
                    found = worker.pipe.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    failure = _bury(worker, job)
                    workers.add(_Worker())
                    if job.left:
                        waiting.appendleft(job)
                    if failure is not None:
                        yield job.task, failure
                    continue
                if found is READY:
                    worker.is_ready = True
                    continue
                job.left.popleft()
                job.deaths = 0
                if not job.left:
                    worker.job = None
                yield job.task, found
    finally:
        for worker in workers:
            worker.end()


def _bury(worker: _Worker, job: _Job) -> Failure | None:
    """Count a death; return a Failure when the quality has had its attempts."""
    code = worker.end()
    if not worker.is_ready:
        raise NacreError(f"a measuring process cannot start: it ended with {code}")
    job.deaths += 1
    if job.deaths < ATTEMPTS:
        return None
    job.deaths = 0
    return Failure(job.task.picture.name, job.left.popleft(), f"the process died ({code})")


def _serve(pipe: Connection) -> None:
    """Run in a worker: answer each task with its rows, until the pipe closes."""
    signal.signal(signal.SIGTERM, _end)
    try:
        pipe.send(READY)
        while True:
            for found in run_task(pipe.recv()):
                pipe.send(found)
    except (EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        return


def _end(_number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that a program which a codec started is ended too."""
    sys.exit(1)

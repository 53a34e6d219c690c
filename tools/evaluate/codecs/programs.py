"""Run a program under a time limit; measure its peak memory; end its child processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nacre.tools.evaluate.codecs.base import CodecFailed


@dataclass(frozen=True)
class Ended:
    """A program that ended by itself."""

    code: int  # exit code, or minus the number of the signal that ended it
    last_line: str  # of stdout and stderr
    peak_memory_mib: float | None  # resident size of it and its children; None where unknown


def run_program(command: Sequence[str], folder: Path, time_limit_seconds: float) -> Ended:
    """Run `command` in `folder`. Raises CodecFailed when it does not end in time."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # POSIX: a group that can be ended as a whole
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows
        )
        waiter = _Waiter(process)
        try:
            if not waiter.ended_within(time_limit_seconds):
                name = Path(command[0]).name
                raise CodecFailed(f"{name} was ended after {time_limit_seconds:g} s")
        finally:
            _end_tree(process)
            waiter.join()
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return Ended(process.returncode, (lines or [""])[-1], waiter.peak_memory_mib)


class _Waiter(threading.Thread):
    """Waits for one process and keeps its resource usage, which Popen would discard.

    RUSAGE_CHILDREN has the largest peak of all ended children, not the peak of one.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.peak_memory_mib: float | None = None
        self.start()

    def run(self) -> None:
        if not hasattr(os, "wait4"):  # Windows
            self._process.wait()
            return
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes in ru_maxrss
        self.peak_memory_mib = usage.ru_maxrss * unit / 2**20

    def ended_within(self, seconds: float) -> bool:
        self.join(seconds)
        return not self.is_alive()


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """End the program and the processes that it started; on Windows, only when it still runs."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True)
    process.kill()  # where taskkill is missing

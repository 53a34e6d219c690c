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
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO

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
        program = _Program(command, folder, output)
        try:
            program.start()
            if not program.ended_within(time_limit_seconds):
                name = Path(command[0]).name
                raise CodecFailed(f"{name} was ended after {time_limit_seconds:g} s")
        finally:
            process = program.end()
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return Ended(process.returncode, (lines or [""])[-1], program.peak_memory_mib)


class _Program(threading.Thread):
    """Starts a program, waits for it, and keeps its resource usage, which Popen would discard.

    RUSAGE_CHILDREN has the largest peak of all ended children, not the peak of one. A signal raises in the main
    thread alone, so no program is started and then forgotten.
    """

    def __init__(self, command: Sequence[str], folder: Path, output: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._command, self._folder, self._output = command, folder, output
        self._process: Future[subprocess.Popen[bytes]] = Future()
        # Not `join`: a signal in it makes Python 3.11 take the thread for ended.
        self._has_ended = threading.Event()
        self.peak_memory_mib: float | None = None

    def run(self) -> None:
        try:
            self._run()
        finally:
            self._has_ended.set()

    def _run(self) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # POSIX: a group that can be ended as a whole
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows
            )
        except BaseException as error:
            self._process.set_exception(error)
            return
        self._process.set_result(process)
        if not hasattr(os, "wait4"):  # Windows
            process.wait()
            return
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes in ru_maxrss
        self.peak_memory_mib = usage.ru_maxrss * unit / 2**20

    def ended_within(self, seconds: float) -> bool:
        return self._has_ended.wait(seconds)

    def end(self) -> subprocess.Popen[bytes]:
        """End the program if it runs. Raises OSError if it could not be started."""
        process = self._process.result()
        _end_tree(process)
        self._has_ended.wait()
        return process


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

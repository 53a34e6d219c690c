"""Worker processes: order of results, end of the run, failure to start."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nacre.tools.evaluate.measure import Task
from nacre.tools.evaluate.results import Failure, Row
from nacre.tools.evaluate.workers import run_all


@pytest.fixture
def picture(tmp_path, photo) -> Path:
    photo.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_run_that_is_left_ends_its_processes_and_their_programs(picture, tmp_path, stand_in):
    slow = f"""
import os, time
if os.path.exists({str(tmp_path / "once")!r}):
    open({str(tmp_path / "slow")!r}, "w").write(f"{{os.getpid()}} {{os.getppid()}}")
    time.sleep(60)
open({str(tmp_path / "once")!r}, "w")
"""
    results = run_all([Task(stand_in(slow), picture, (1.0, 2.0), False)], 1)
    assert isinstance(next(results)[1], Row)
    while not (tmp_path / "slow").exists() or not (tmp_path / "slow").read_text():
        time.sleep(0.02)
    program, worker = map(int, (tmp_path / "slow").read_text().split())
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 5
    assert not is_running(program) and not is_running(worker)


def test_results_come_as_they_are_measured_and_in_order(picture):
    tasks = [Task("jpeg", picture, (80.0, 20.0, 1000.5), False)]
    found = [row for _, row in run_all(tasks, 4)]
    assert [row.quality for row in found] == [80, 20, 1000.5]
    assert [type(row) for row in found] == [Row, Row, Failure]
    assert list(run_all([], 4)) == []


def test_the_number_of_threads_reaches_programs(picture, tmp_path, stand_in):
    seen = tmp_path / "threads"
    say = f"import os; open({str(seen)!r}, 'w').write(os.environ['OMP_NUM_THREADS'])"
    assert isinstance(
        next(run_all([Task(stand_in(say), picture, (1.0,), False, threads=3)], 1))[1], Row
    )
    assert seen.read_text() == "3"


def test_processes_that_cannot_start_are_told(picture, tmp_path):
    """As in a script without `if __name__ == "__main__"`, which multiprocessing needs."""
    script = f"""
        from pathlib import Path
        from nacre.tools.evaluate.measure import Task
        from nacre.tools.evaluate.workers import run_all
        list(run_all([Task("jpeg", Path({str(picture)!r}), (50.0,), False)], 1))
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True)
    assert "measuring processes cannot start: one ended with 1" in done.stderr.splitlines()[-1]

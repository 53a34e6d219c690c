"""System-dependent parts: imports, ending programs, measuring memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from nacre.tools.evaluate import memory
from nacre.tools.evaluate.codecs.base import CodecFailed
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.measure import Task, measure

WITHOUT = """
    import os, pkgutil, sys
    sys.modules["resource"] = None
    for name in ("killpg", "wait4", "getpgid", "setsid"):
        delattr(os, name)
    import nacre.tools.evaluate as package
    names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    for name in names:
        if not name.endswith("page"):
            __import__(name)
    from pathlib import Path
    from nacre.tools.evaluate.measure import Task, run_task
    for codec in ("jpeg", sys.argv[1]):
        (row,) = run_task(Task(codec, Path(sys.argv[2]), (50.0,), is_timed=True))
        print(codec.partition("@")[0], row.bytes > 0, row.encode_seconds > 0)
"""


def test_every_module_works_without_what_windows_lacks(tmp_path, photo, stand_in):
    photo.save(tmp_path / "a.png")
    command = [sys.executable, "-c", textwrap.dedent(WITHOUT), stand_in("")]
    done = subprocess.run([*command, tmp_path / "a.png"], capture_output=True, text=True)
    assert done.stdout.split() == ["jpeg", "True", "True", "bpg", "True", "True"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="resets the peak through /proc")
def test_a_small_program_after_a_large_one_shows_its_own_memory(tmp_path, photo, stand_in):
    text = "import os, sys\nif os.path.getsize('in.png') > 9000: held = b'x' * (900 << 20)"
    codec = create(stand_in(text))
    task = Task("bpg", tmp_path / "a.png", (22.0,), is_timed=True)
    large = measure(codec, photo, task, 22)
    small = measure(codec, photo.crop((0, 0, 16, 16)), task, 22)
    assert large.peak_memory_mib > 900 > small.peak_memory_mib


def test_windows_ends_a_program_and_its_children_by_taskkill(
    tmp_path, photo, monkeypatch, stand_in
):
    (tmp_path / "taskkill").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nkill -9 $4')
    (tmp_path / "taskkill").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("killpg", "wait4"):
        monkeypatch.delattr("os." + name)
    codec = create(stand_in("import time; time.sleep(60)") + ",time_limit=1")
    with pytest.raises(CodecFailed, match="ended after 1 s"):
        codec.encode(photo, 22)
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["/T", "/F", "/PID"] and int(asked[3]) > 1


def test_memory_that_cannot_be_measured_is_none(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(memory, "PROC", tmp_path / "nowhere")
    row = measure(create("jpeg"), photo, Task("jpeg", tmp_path / "a.png", (50.0,), True), 50)
    assert row.peak_memory_mib is None and row.encode_seconds > 0
    assert memory.largest(None, 3.0, 2.0) == 3.0 and memory.largest(None) is None


@pytest.mark.skipif(sys.platform != "linux", reason="resets the peak through /proc")
def test_the_peak_of_a_process_begins_anew():
    large = memory.PeakMemory()
    assert len(b"x" * (300 << 20))
    peak = large.mib()
    assert memory.PeakMemory().mib() < peak - 200
    assert memory.PeakMemory(2**22).mib() is None  # no such process

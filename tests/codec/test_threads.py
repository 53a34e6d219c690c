"""Threads that do not hang after a fork, nor hinder each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
import torch

from nacre.codec import threads
from nacre.entropy.clock import measured, timed

FORKS = """
import os
import time

import numpy as np

from nacre import codec
from nacre.codec import threads

picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
data = codec.encode(picture, effort=1)
codec.decode(data)
pid = os.fork()
if not pid:
    again = codec.encode(picture, effort=1)
    codec.decode(again)
    os._exit(0 if again == data else 1)
deadline = time.monotonic() + 60
while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
    time.sleep(0.05)
if not ended[0]:
    os.kill(pid, 9)
    raise SystemExit("it hangs")
raise SystemExit(os.waitstatus_to_exitcode(ended[1]))
"""


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_codes_after_its_parent_did():
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", FORKS], env=environment, timeout=180)
    assert done.returncode == 0


def test_a_small_picture_has_one_thread_and_a_large_one_all(two_threads):
    with threads.suited(threads.SMALL_PIXELS):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with threads.suited(threads.SMALL_PIXELS + 1):
        assert torch.get_num_threads() == 2
    with threads.suited(1, chosen=2):
        assert torch.get_num_threads() == 2


def test_the_number_of_threads_comes_back_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), threads.suited(1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    "set_by_user", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "9"}]
)
def test_threads_wait_asleep_unless_the_user_says_otherwise(set_by_user, monkeypatch):
    for name in threads.WAITING:
        monkeypatch.delenv(name, raising=False)
    for name, value in set_by_user.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "torch")
    threads.wait_asleep()
    found = {name: os.environ[name] for name in threads.WAITING & os.environ.keys()}
    assert found == (set_by_user or {"OMP_WAIT_POLICY": "PASSIVE"})
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)


def test_nothing_is_set_that_would_come_too_late(monkeypatch):
    for name in threads.WAITING:
        monkeypatch.delenv(name, raising=False)
    threads.wait_asleep()
    assert not threads.WAITING & os.environ.keys()


def test_work_side_by_side_gives_what_one_thread_gives_in_order(two_threads):
    x = torch.rand(64, 4096)

    def work(k):
        time.sleep(0.01 * (4 - k))  # later ones end first
        return k, torch.get_num_threads(), threading.get_ident(), x @ x.T

    found = threads.side_by_side(work, [(k,) for k in range(4)])
    assert torch.get_num_threads() == 2
    assert [one[0] for one in found] == [0, 1, 2, 3]
    assert {one[1] for one in found} == {1}
    assert len({one[2] for one in found}) == 2
    torch.set_num_threads(1)
    assert all(torch.equal(one[3], x @ x.T) for one in found)


def test_an_error_side_by_side_is_raised_and_all_threads_are_back(two_threads):
    def work(k):
        if k == 1:
            raise ValueError(k)

    with pytest.raises(ValueError, match="1"):
        threads.side_by_side(work, [(k,) for k in range(3)])
    assert torch.get_num_threads() == 2


def test_seconds_side_by_side_count_for_the_clock_around(two_threads):
    with measured() as clock:
        threads.side_by_side(timed(time.sleep), [(0.02,), (0.02,)])
    assert clock.seconds > 0.03


def test_results_come_in_the_order_of_the_calls_and_no_more_than_wanted_wait(two_threads):
    began: list[int] = []

    def work(k):
        began.append(k)
        time.sleep(0.01 * (k % 3))
        return k

    pairs = threads.OrderedCalls[object](2)
    found = []
    for k in range(10):
        pairs.call(work, k)
        pairs.put(f"after {k}")
        found += pairs.results()
        assert len(began) - sum(isinstance(one, int) for one in found) <= 2 + 1
        assert torch.get_num_threads() == 1
    found += pairs.results(all_of_them=True)
    pairs.close()
    assert found == [part for k in range(10) for part in (k, f"after {k}")]
    assert torch.get_num_threads() == 2


def test_an_error_comes_in_the_place_of_its_result(two_threads):
    pairs = threads.OrderedCalls[float](2)
    for k in (1, 0, 2):
        pairs.call(lambda k: 1 / k, k)
    results = pairs.results(all_of_them=True)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    pairs.close()


def test_one_at_a_time_is_computed_at_once_with_all_threads(two_threads):
    alone = threads.OrderedCalls[int](1)
    alone.call(torch.get_num_threads)
    assert list(alone.results()) == [2]
    alone.close()

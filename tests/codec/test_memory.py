import ctypes
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from nacre.codec import memory


@pytest.fixture
def _forgotten():
    memory._malloc_trim.cache_clear()
    yield
    memory._malloc_trim.cache_clear()


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_without_glibc_nothing_happens(monkeypatch, error):
    def cdll(_name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", cdll)
    memory.give_back_freed()


def _resident(path) -> int:
    """KiB of the map of a file that are in memory."""
    lines = Path("/proc/self/smaps").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(str(path)))
    return next(int(line.split()[1]) for line in lines[at:] if line.startswith("Rss:"))


def test_what_was_read_of_a_map_is_let_go_of_and_can_be_read_again(tmp_path):
    path = tmp_path / "rows.npy"
    open_memmap(path, "w+", np.uint8, (1024, 1024, 3))[:] = 7
    pixels = np.load(path, mmap_mode="r")
    assert pixels.min() == 7
    try:
        before = _resident(path)
    except (OSError, StopIteration):
        pytest.skip("no /proc/self/smaps here")
    memory.give_back_read(pixels)
    assert before > 2048 > _resident(path)
    assert pixels.max() == 7


def test_a_map_that_can_be_written_keeps_what_was_written(tmp_path):
    pixels = open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (64, 64, 3))
    pixels[:] = 9
    memory.give_back_read(pixels)
    assert pixels.min() == 9

"""The coder reports its seconds to whoever measures, and to nobody else."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from nacre import codec
from nacre.entropy import clock as clocks
from nacre.entropy.clock import measured, timed
from nacre.entropy.coder import SymbolDecoder, SymbolEncoder
from nacre.entropy.tables import Tables, integer_frequencies


@timed
def work(seconds=0.01, error=None):
    time.sleep(seconds)
    if error:
        raise error
    return "done"


def test_seconds_of_timed_functions_are_added_up():
    with measured() as clock:
        assert (work(), work()) == ("done", "done")
        time.sleep(0.05)
    assert 0.02 <= clock.seconds < 0.05
    work()
    assert clock.seconds < 0.05  # it has stopped


def test_seconds_before_an_error_count():
    with pytest.raises(KeyError), measured() as clock:
        work(error=KeyError())
    assert clock.seconds >= 0.01
    assert clocks._clock.get() is None


def test_an_inner_clock_takes_the_seconds_and_an_outer_one_goes_on():
    with measured() as outer:
        with measured() as inner:
            work()
        assert outer.seconds == 0
        work(0.001)
    assert inner.seconds >= 0.01 > outer.seconds > 0


def test_threads_do_not_count_for_each_other():
    with measured() as clock:
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert clock.seconds == 0


def test_nobody_who_measures_no_time_is_read(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", None)
    assert work() == "done"


def test_the_coder_reports_both_directions():
    tables = Tables(np.array([5]), integer_frequencies(0.8 ** np.arange(12)))
    symbols, rows = np.zeros(50_000, np.int32), np.zeros(50_000, np.uint8)
    encoder = SymbolEncoder()
    encoder.push(symbols, rows, tables)
    with measured() as encoding:
        data = encoder.finish()
    with measured() as decoding:
        SymbolDecoder(data).pull(rows, tables)
    assert encoding.seconds > 0 and decoding.seconds > 0


def test_a_codec_reports_a_part_of_its_seconds(tiny, photo):
    with measured() as encoding:
        data = codec.encode(photo, model=tiny, quality=60, effort=0)
    start = time.perf_counter()
    with measured() as decoding:
        codec.decode(data, model=tiny)
    assert encoding.seconds > 0
    assert 0 < decoding.seconds < time.perf_counter() - start

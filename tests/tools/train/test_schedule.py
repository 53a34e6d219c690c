"""The learning rate rises, stays, and falls to zero at the step or at the time that was asked for."""

from __future__ import annotations

import pytest

from nacre.tools.train.schedule import Fall, Pace, Schedule


def test_the_rate_rises_stays_and_falls_to_zero():
    schedule = Schedule(1e-3, 10, warm_from=5, fall=Fall(100, 50))
    rates = [schedule.rate(step) for step in range(5, 151)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[9:96] == [1e-3] * 87
    assert rates[70 + 50] == pytest.approx(5e-4)  # half of the fall
    assert rates[-1] == 0
    assert [schedule.has_ended(step) for step in (99, 149, 150)] == [False, False, True]


def test_a_schedule_without_a_fall_has_no_end():
    assert not Schedule(1e-3, 1).has_ended(10**9)


def test_the_pace_leaves_out_the_first_report_and_keeps_a_margin():
    pace = Pace()
    assert pace.steps_in(60) == 0
    pace.report(50, 40.0)  # a slow start
    assert pace.steps_in(60) == 0
    pace.report(150, 50.0)
    assert 500 < pace.steps_in(60) <= 600
    assert pace.steps_in(0.001) == 1

"""A comparison has the figures of its parts, by every method, and each remark once."""

from __future__ import annotations

import json

import pytest

from nacre.tools.evaluate.bdrate import METHODS, Curve, bd_quality, bd_rate
from nacre.tools.evaluate.comparison import NO_COMMON_RATE, compare
from nacre.tools.evaluate.curves import Measured

RATE, QUALITY = [0.1, 0.3, 0.7, 1.5], [30.0, 33.0, 36.0, 40.0]


@pytest.fixture
def measured():
    def make(name: str, factor: float, dataset: str = "kodak") -> Measured:
        curve = Curve.of(name, [factor * rate for rate in RATE], QUALITY, dataset)
        return Measured(curve, {"1.png": curve})

    return make


def test_figures_are_those_of_the_parts(measured):
    a, b = measured("a", 1), measured("b", 1.25)
    found = compare(a, b, METHODS)
    for method in METHODS:
        assert found.rates[method] == bd_rate(a.curve, b.curve, method)
        assert found.qualities[method] == bd_quality(a.curve, b.curve, method)
    assert found.spread.median == pytest.approx(25)
    values = json.loads(json.dumps(found.to_json()))
    assert values["pchip"]["bd_rate"]["value"] == pytest.approx(25)
    assert (values["anchor"], values["test"], len(values["pictures"]["bd_rate"])) == ("a", "b", 1)


def test_remarks_stand_once(measured):
    found = compare(measured("a", 1), measured("b", 100, "tecnick"), METHODS)
    assert found.remarks[0] == "the sets differ: kodak and tecnick"
    assert found.remarks.count(NO_COMMON_RATE) == 1
    assert found.to_json()["akima"]["bd_quality"] is None

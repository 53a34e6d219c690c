"""Averages are means: shares from 0 to 1, weights of one shape."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.errors import UsageError, WeightsError
from nacre.tools.export import averaging
from nacre.tools.export.averaging import averaged

STATE = {"a": torch.tensor([1.0, 2.0])}


@pytest.fixture
def other(monkeypatch):
    """What every other file holds."""
    state = {"a": torch.tensor([5.0, 6.0])}
    monkeypatch.setattr(averaging, "network_state", lambda _: state)
    return state


def test_a_share_of_each(other):
    assert averaged(STATE, [])["a"].tolist() == [1, 2]
    assert averaged(STATE, [("x", 0.25)])["a"].tolist() == [2, 3]
    assert averaged(STATE, [("x", 0.25), ("y", 0.75)])["a"].tolist() == [5, 6]


@pytest.mark.parametrize("shares", [[1.5], [-0.1], [0.6, 0.6], [float("nan")]])
def test_what_is_no_mean_is_refused(other, shares):
    with pytest.raises(UsageError, match="from 0 to 1"):
        averaged(STATE, [("x", share) for share in shares])


def test_other_shapes_are_refused(other):
    other["a"] = torch.zeros(3)
    with pytest.raises(WeightsError, match="another configuration"):
        averaged(STATE, [("x", 0.5)])

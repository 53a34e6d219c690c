"""Tables are integers that can code whatever can occur."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.errors import WeightsError
from nacre.entropy.tables import MAX_RADIUS, TOTAL, Tables, fit_tables, integer_frequencies
from nacre.models.zoo import load_model, names

WEIGHTS = st.lists(st.floats(0, 1e12), min_size=2, max_size=300).filter(lambda w: sum(w) > 0)


@given(WEIGHTS)
def test_frequencies_are_positive_and_sum_to_the_total(weights):
    frequencies = integer_frequencies(np.array(weights))
    assert frequencies.min() >= 1
    assert frequencies.sum() == TOTAL


@given(WEIGHTS)
def test_frequencies_follow_the_probabilities(weights):
    weights = np.array(weights)
    off = integer_frequencies(weights) / TOTAL - weights / weights.sum()
    assert np.abs(off).max() < 3 * len(weights) / TOTAL


@pytest.mark.parametrize("name", names())
def test_every_shipped_table_is_whole(name):
    tables = load_model(name).tables
    for family in tables.values():
        for row in range(family.coded_from, family.rows):
            frequencies = family.of_row(row)
            assert len(frequencies) == 2 * family.radius[row] + 2
            assert frequencies.min() >= 1
            assert frequencies.sum() == TOTAL


def table(radius=(0, 1), frequencies=(TOTAL // 2, TOTAL // 2, 5, TOTAL - 11, 5, 1), coded_from=0):
    return Tables(np.array(radius), np.array(frequencies), coded_from)


def test_a_row_is_found_among_the_others():
    assert table().of_row(1).tolist() == [5, TOTAL - 11, 5, 1]
    assert table(frequencies=(5, TOTAL - 11, 5, 1), coded_from=1).of_row(1).tolist() == [
        5,
        TOTAL - 11,
        5,
        1,
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequencies": (TOTAL, 0, 5, TOTAL - 11, 5, 1)}, "no frequency"),
        ({"frequencies": (1, 1, 5, TOTAL - 11, 5, 1)}, "do not sum"),
        ({"frequencies": (5, TOTAL - 11, 5, 1)}, "4 frequencies, not 6"),
        ({"radius": (0, 256)}, "radius"),
        ({"radius": (-1, 1)}, "radius"),
        ({"coded_from": 2}, "coded from 2"),
    ],
)
def test_a_table_that_cannot_code_is_refused(change, message):
    with pytest.raises(WeightsError, match=message):
        table(**change)


def test_a_row_without_a_symbol_seen_takes_the_shape_of_its_prior():
    prior = np.array([1.0, 2.0, 1.0, 0.001])
    fitted = fit_tables([np.zeros(4)], [prior], 10.0, 0)
    assert np.allclose(fitted.frequencies / TOTAL, prior / prior.sum(), atol=1e-6)


def test_costs_are_those_of_the_tables():
    tables = Tables(np.array([0, 1]), integer_frequencies(np.array([1.0, 2.0, 1.0, 0.5])), 1)
    middle = MAX_RADIUS + 1
    assert tables.costs.shape == (2, 2 * MAX_RADIUS + 3)
    assert tables.costs[0, middle] == 0 and np.isinf(np.delete(tables.costs[0], middle)).all()
    assert np.allclose(tables.costs[1, middle - 1 : middle + 2], tables.bits(1)[:3])
    assert np.allclose(tables.costs[1, [0, middle - 2, middle + 2, -1]], tables.bits(1)[3] + 16)

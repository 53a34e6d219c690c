"""Both stacks write the same bytes, and popping undoes pushing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.errors import CorruptStream
from nacre.entropy.stack import FastStack, PlainStack, constriction
from nacre.entropy.tables import TOTAL, integer_frequencies

STACKS = [
    PlainStack,
    pytest.param(FastStack, marks=pytest.mark.skipif(not constriction, reason="no wheel here")),
]


@st.composite
def groups(draw):
    """Up to five groups of symbols, each with frequencies of its own, from flat to almost certain."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        size = draw(st.integers(2, 200))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        frequencies = integer_frequencies(rng.exponential(1, size) ** draw(st.integers(1, 8)))
        count = draw(st.integers(0, 300))
        likely = draw(st.booleans())
        weights = frequencies / TOTAL if likely else None
        found.append((rng.choice(size, count, p=weights).astype(np.int32), frequencies))
    return found


def code(stack, coded):
    for symbols, frequencies in reversed(coded):
        stack.push(symbols, frequencies)
    return stack.to_bytes()


@given(groups())
def test_both_stacks_write_the_same_bytes(coded):
    if constriction is None:
        pytest.skip("no constriction wheel for this platform: there is only one stack")
    assert code(FastStack(), coded) == code(PlainStack(), coded)


@pytest.mark.parametrize("kind", STACKS)
@given(coded=groups())
def test_popping_undoes_pushing(kind, coded):
    stack = kind(code(kind(), coded))
    for symbols, frequencies in coded:
        assert np.array_equal(stack.pop(len(symbols), frequencies), symbols)
    assert stack.is_empty()


@pytest.mark.parametrize("kind", STACKS)
@given(coded=groups())
def test_the_size_is_the_information(kind, coded):
    bits = sum(24 * len(s) - np.log2(f[s]).sum() for s, f in coded)
    assert 8 * len(code(kind(), coded)) <= bits * 1.001 + 40


@pytest.mark.parametrize("kind", STACKS)
def test_bytes_are_pinned(kind):
    frequencies = integer_frequencies(np.array([1.0, 5.0, 2.0, 0.5]))
    symbols = np.array([1, 1, 2, 0, 3, 1, 1, 2, 1, 0] * 3, np.int32)
    assert code(kind(), [(symbols, frequencies)]).hex() == "eb138362ab57a3f77701"


@pytest.mark.parametrize("kind", STACKS)
@given(data=st.binary(min_size=1, max_size=40).filter(lambda d: d[-1]))
def test_any_bytes_give_symbols_and_never_crash(kind, data):
    frequencies = integer_frequencies(np.array([3.0, 1.0, 1.0]))
    symbols = kind(data).pop(100, frequencies)
    assert ((symbols >= 0) & (symbols < 3)).all()


@pytest.mark.parametrize("kind", STACKS)
def test_a_zero_at_the_end_is_refused(kind):
    with pytest.raises(CorruptStream, match="zero"):
        kind(b"\x01\x02\x00")

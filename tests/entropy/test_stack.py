"""Both stacks write the same bytes, and popping undoes pushing."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy import stack
from nacre.entropy.coder import SymbolDecoder, SymbolEncoder
from nacre.entropy.errors import CorruptStream
from nacre.entropy.stack import FastStack, PlainStack, constriction, new_stack
from nacre.entropy.tables import TOTAL, Tables, integer_frequencies

needs_constriction = pytest.mark.skipif(not constriction, reason="no wheel here")
STACKS = [PlainStack, pytest.param(FastStack, marks=needs_constriction)]


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


def code(empty, coded):
    for symbols, frequencies in reversed(coded):
        empty.push(symbols, frequencies)
    return empty.to_bytes()


@given(groups())
def test_both_stacks_write_the_same_bytes(coded):
    if constriction is None:
        pytest.skip("no constriction wheel for this platform: there is only one stack")
    assert code(FastStack(), coded) == code(PlainStack(), coded)


@pytest.mark.parametrize("kind", STACKS)
@given(coded=groups())
def test_popping_undoes_pushing(kind, coded):
    coder = kind(code(kind(), coded))
    for symbols, frequencies in coded:
        assert np.array_equal(coder.pop(len(symbols), frequencies), symbols)
    assert coder.is_empty()


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


@pytest.fixture
def fresh():
    """Nothing is known of constriction, before and after."""

    def forget():
        stack._is_exact.cache_clear()
        stack._model.cache_clear()

    forget()
    yield
    forget()


def rounding(change):
    """A constriction that makes its tables of other probabilities than it is given."""
    honest = constriction.stream
    model = SimpleNamespace(Categorical=lambda p, perfect: honest.model.Categorical(*change(p)))
    return SimpleNamespace(stream=SimpleNamespace(stack=honest.stack, model=model))


@needs_constriction
@pytest.mark.parametrize(
    "change",
    [
        lambda p: (p + 1, False, False),  # all 2**24 shared, in place of all but one a symbol
        lambda p: (p, False, True),  # the best approximation of the probabilities
        lambda p: (p * (1 - 1e-12 * (p > 2**22)), False, False),  # a sum that is not exact
        lambda p: (np.where(p > 1000, np.round(p / 2) * 2, p), False, False),  # a bit less
        lambda p: (p + 0.5 * (np.arange(len(p)) == len(p) // 2), False, False),  # half a count more
    ],
)
def test_a_constriction_that_rounds_in_another_way_is_refused(change, monkeypatch, fresh):
    rng = np.random.default_rng(0)
    coded = []
    for size in (2, 30, 512, 300):
        frequencies = integer_frequencies(rng.exponential(1, size) ** 3)
        coded.append((rng.integers(0, size, 200).astype(np.int32), frequencies))
    want = code(PlainStack(), coded)
    monkeypatch.setattr(stack, "constriction", rounding(change))
    assert code(FastStack(), coded) != want  # else there would be nothing to refuse
    with pytest.warns(RuntimeWarning, match="rounds frequencies"):
        assert code(new_stack(), coded) == want
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert code(new_stack(), coded) == want
    again = new_stack(want)
    assert all(np.array_equal(again.pop(len(s), f), s) for s, f in coded) and again.is_empty()


@needs_constriction
def test_the_constriction_here_is_used_and_its_check_is_quick(fresh):
    seconds = []
    for _ in range(5):
        stack._is_exact.cache_clear()
        start = time.perf_counter()
        assert isinstance(new_stack(), FastStack)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005


@needs_constriction
def test_models_are_made_once_for_all_stacks_and_threads(fresh):
    """Each thread codes for itself; the models are those of the tables."""
    radii = np.array([1, 5, 255])
    family = [integer_frequencies(0.8 ** np.arange(2 * r + 2)) for r in radii]
    tables = Tables(radii, np.concatenate(family))
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, 3000).astype(np.uint8)
    symbols = rng.integers(-1, 2, 3000).astype(np.int32)

    def both_ways(_):
        encoder = SymbolEncoder()
        encoder.push(symbols, rows, tables)
        data = encoder.finish()
        assert np.array_equal(SymbolDecoder(data).pull(rows, tables), symbols)
        return data

    both_ways(0)
    made = stack._model.cache_info().misses
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(both_ways, range(40)))) == 1
    assert stack._model.cache_info().misses == made


@needs_constriction
def test_kept_models_are_bounded_and_never_taken_for_those_of_other_tables(fresh):
    """Arrays come and go, and with them their addresses."""
    for seed in range(stack.KEPT_MODELS + 200):
        frequencies = integer_frequencies(np.random.default_rng(seed).exponential(1, 4))
        coded = [(np.arange(4, dtype=np.int32), frequencies)]
        assert code(FastStack(), coded) == code(PlainStack(), coded)
    assert stack._model.cache_info().currsize == stack.KEPT_MODELS

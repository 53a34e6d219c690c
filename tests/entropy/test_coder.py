"""Reading undoes writing, for every symbol and any rows, and damage is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.coder import ESCAPE_FREQUENCIES, SymbolDecoder, SymbolEncoder
from nacre.entropy.errors import CorruptStream
from nacre.entropy.stack import PlainStack, new_stack
from nacre.entropy.tables import MAX_SYMBOL, Tables, integer_frequencies

RADII = np.array([1, 1, 2, 5])
TABLES = Tables(
    RADII, np.concatenate([integer_frequencies(0.6 ** np.arange(2 * r + 2)) for r in RADII[1:]]), 1
)
SYMBOL = st.one_of(st.integers(-6, 6), st.integers(-MAX_SYMBOL, MAX_SYMBOL))
PUSH = st.lists(st.tuples(SYMBOL, st.integers(0, 3)), max_size=80)


def arrays(push):
    rows = np.array([row for _, row in push], np.uint8)
    symbols = np.array([symbol if row else 0 for symbol, row in push], np.int32)
    return symbols, rows


@pytest.mark.parametrize("stack", [new_stack, PlainStack])
@given(pushes=st.lists(PUSH, max_size=4))
def test_reading_undoes_writing(stack, pushes):
    encoder = SymbolEncoder(stack)
    for push in pushes:
        encoder.push(*arrays(push), TABLES)
    decoder = SymbolDecoder(encoder.finish(), stack)
    for push in pushes:
        symbols, rows = arrays(push)
        assert np.array_equal(decoder.pull(rows, TABLES), symbols)
    decoder.finish()


@pytest.mark.parametrize("raw", [2**16 - 1, 2**16 - 2])
def test_an_escape_beyond_the_largest_symbol_is_refused(raw):
    stack, rows = new_stack(), np.array([3], np.uint8)
    stack.push(np.array([raw], np.int32), ESCAPE_FREQUENCIES)
    stack.push(np.array([2 * RADII[3] + 1], np.int32), TABLES.of_row(3))
    with pytest.raises(CorruptStream, match="over 32767"):
        SymbolDecoder(stack.to_bytes()).pull(rows, TABLES)


def test_rows_that_are_not_coded_cost_nothing():
    encoder = SymbolEncoder()
    encoder.push(np.zeros(1000, np.int32), np.zeros(1000, np.uint8), TABLES)
    assert encoder.finish() == b""


def coded(count=200):
    rng = np.random.default_rng(3)
    rows, symbols = np.full(count, 3, np.uint8), rng.integers(-5, 6, count).astype(np.int32)
    encoder = SymbolEncoder()
    encoder.push(symbols, rows, TABLES)
    return encoder.finish(), symbols, rows


def test_nearly_every_flipped_bit_is_noticed_by_the_coder_alone():
    """What it misses, plain bits of an escape above all, the checksum of the symbols finds."""
    data, _, rows = coded()
    noticed = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoder = SymbolDecoder(bytes(damaged))
            decoder.pull(rows, TABLES)
            decoder.finish()
        except CorruptStream:
            noticed += 1
    assert noticed > 0.98 * 8 * len(data)


@pytest.mark.parametrize("change", [lambda d: d[:-4], lambda d: d[4:], lambda d: d + b"\1\2\3\4"])
def test_code_of_another_length_is_noticed(change):
    data, _, rows = coded()
    decoder = SymbolDecoder(change(data))
    decoder.pull(rows, TABLES)
    with pytest.raises(CorruptStream):
        decoder.finish()


def test_rows_beyond_a_byte_select_their_own_tables():
    """300 tables, each with one likely symbol of its own."""
    count = 300
    frequencies = [integer_frequencies(np.eye(22)[row % 21] + 1e-6) for row in range(count)]
    tables = Tables(np.full(count, 10), np.concatenate(frequencies))
    rows = np.random.default_rng(0).permutation(count).astype(np.int16)
    symbols = (rows % 21 - 10).astype(np.int32)
    encoder = SymbolEncoder()
    encoder.push(symbols, rows, tables)
    data = encoder.finish()
    assert len(data) < 16
    decoder = SymbolDecoder(data)
    assert np.array_equal(decoder.pull(rows, tables), symbols)
    decoder.finish()

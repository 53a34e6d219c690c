"""Asymmetric numeral systems: a stack of symbols whose bytes are the code.

Two implementations that give the same bytes: `FastStack` on constriction, and `PlainStack` in Python for
platforms without a wheel of constriction, or with a version that rounds in another way than the format.
64-bit state, 32-bit words, 24-bit frequencies.

Source: Duda et al., 2015; constriction's AnsCoder.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import CorruptStream
from nacre.entropy.tables import PRECISION, TOTAL, integer_frequencies

try:
    import constriction
except ImportError:  # Linux on Arm, musl, PyPy: no wheel
    constriction = None

WORD_BYTES = 4
WORD = np.dtype("<u4")
KEPT_MODELS = 1024  # of constriction; the shipped tables have 253 rows

Symbols = NDArray[np.int32]  # indices into a table, from 0
Ints = NDArray[np.int64]


class Stack(Protocol):
    """Last in, first out; within one call the order is kept."""

    def push(self, symbols: Symbols, frequencies: Ints) -> None:
        """Code (n,) indices into `frequencies`, which sum to 2**PRECISION."""

    def pop(self, count: int, frequencies: Ints) -> Symbols:
        """Undo the last `push` of `count` symbols with the same frequencies."""

    def to_bytes(self) -> bytes:
        """The code: little-endian words, without the zero bytes at its end."""

    def is_empty(self) -> bool:
        """Whether every pushed symbol has been popped; after a damaged code this is almost never so."""


def _words(data: bytes) -> NDArray[np.uint32]:
    """Undo `Stack.to_bytes`, up to the implementation's own state."""
    if data and not data[-1]:
        raise CorruptStream("coded symbols: the last byte is zero")
    padded = data + bytes(-len(data) % WORD_BYTES)
    return np.frombuffer(padded, WORD).astype(np.uint32)


class _Key:
    """An array as the key of a cache: equal to no other array. It keeps the array and with it the id alive."""

    __slots__ = ("array",)

    def __init__(self, array: Ints) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.array is other.array


@lru_cache(KEPT_MODELS)
def _model(frequencies: _Key) -> object:
    """A constriction model with exactly these frequencies; all threads share it.

    constriction gives each symbol one count and shares out the other 2**24 - n by the
    probabilities; with the frequencies less one it has nothing to round.
    """
    return constriction.stream.model.Categorical(
        (frequencies.array - 1).astype(np.float64), perfect=False
    )


class FastStack:
    """On constriction: 15 to 20 million symbols a second."""

    def __init__(self, data: bytes = b"") -> None:
        words = _words(data)
        self._coder = (
            constriction.stream.stack.AnsCoder(words)
            if len(words)
            else (constriction.stream.stack.AnsCoder())
        )

    def push(self, symbols: Symbols, frequencies: Ints) -> None:
        self._coder.encode_reverse(symbols, _model(_Key(frequencies)))

    def pop(self, count: int, frequencies: Ints) -> Symbols:
        return self._coder.decode(_model(_Key(frequencies)), count)

    def to_bytes(self) -> bytes:
        return self._coder.get_compressed().astype(WORD).tobytes().rstrip(b"\0")

    def is_empty(self) -> bool:
        return self._coder.is_empty()


@lru_cache(KEPT_MODELS)
def _lists(frequencies: _Key) -> tuple[list[int], list[int]]:
    """Frequencies and their exclusive cumulative sums, as lists of Python integers."""
    array = frequencies.array
    return array.tolist(), (np.cumsum(array) - array).tolist()


class PlainStack:
    """In Python: the same bytes at 0.3 to 1 million symbols a second.

    >>> stack, frequencies = PlainStack(), integer_frequencies(np.array([0.9, 0.1]))
    >>> stack.push(np.array([0, 1, 0, 0], np.int32), frequencies)
    >>> stack.to_bytes().hex()
    '00000001'
    >>> stack.pop(4, frequencies).tolist()
    [0, 1, 0, 0]
    >>> stack.is_empty()
    True
    """

    def __init__(self, data: bytes = b"") -> None:
        self._bulk: list[int] = _words(data).tolist()
        self._state = 0
        while self._bulk and self._state < 1 << 32:
            self._state = self._state << 32 | self._bulk.pop()

    def push(self, symbols: Symbols, frequencies: Ints) -> None:
        counts, starts = _lists(_Key(frequencies))
        state, bulk = self._state, self._bulk
        for s in reversed(symbols.tolist()):
            count = counts[s]
            if state >> 64 - PRECISION >= count:
                bulk.append(state & 0xFFFFFFFF)
                state >>= 32
            quotient, rest = divmod(state, count)
            state = quotient << PRECISION | starts[s] + rest
        self._state = state

    def pop(self, count: int, frequencies: Ints) -> Symbols:
        from bisect import bisect_right

        counts, starts = _lists(_Key(frequencies))
        state, bulk, out = self._state, self._bulk, np.empty(count, np.int32)
        for i in range(count):
            quantile = state & TOTAL - 1
            s = bisect_right(starts, quantile) - 1
            state = (state >> PRECISION) * counts[s] + quantile - starts[s]
            if state < 1 << 32 and bulk:
                state = state << 32 | bulk.pop()
            out[i] = s
        self._state = state
        return out

    def to_bytes(self) -> bytes:
        words, state = list(self._bulk), self._state
        while state:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        return np.array(words, WORD).tobytes().rstrip(b"\0")

    def is_empty(self) -> bool:
        return not self._state and not self._bulk


def _tables_that_show_rounding() -> list[Ints]:
    """Flat, steep, irregular and almost certain tables, with counts of 1 and counts that fill 24 bits."""
    i = np.arange(512)
    shapes = [
        np.ones(256),
        0.9**i,
        1.0 + i * i * 7919 % 1009,
        np.exp(-(((i[:40] - 20.3) / 2) ** 2)),
    ]
    certain = np.array([TOTAL - 1, 1])
    return [*map(integer_frequencies, shapes), certain, certain[::-1].copy()]


@lru_cache(1)
def _is_exact() -> bool:
    """Whether constriction writes the bytes of `PlainStack` and reads them; warns if it does not.

    Its documentation does not say that it rounds nothing: another version may round.
    """
    tables = _tables_that_show_rounding()
    every = [np.arange(len(frequencies), dtype=np.int32) for frequencies in tables]
    plain, fast = PlainStack(), FastStack()
    for symbols, frequencies in zip(every, tables, strict=True):
        plain.push(symbols, frequencies)
        fast.push(symbols, frequencies)
    is_exact = plain.to_bytes() == fast.to_bytes() and all(
        np.array_equal(fast.pop(len(symbols), frequencies), symbols)
        for symbols, frequencies in zip(reversed(every), reversed(tables), strict=True)
    )
    if not is_exact:
        warnings.warn(
            "this version of constriction rounds frequencies in another way than the format: "
            "nacre uses its own coder in Python, which is slower",
            RuntimeWarning,
            stacklevel=4,
        )
    return is_exact


def new_stack(data: bytes = b"") -> Stack:
    """The fastest stack on this platform. Raises CorruptStream for bytes that no stack writes."""
    return FastStack(data) if constriction is not None and _is_exact() else PlainStack(data)

"""Asymmetric numeral systems: a stack of symbols whose bytes are the code.

Two implementations of the same bytes: `FastStack` on constriction, and `PlainStack` in Python for
platforms on which constriction has no wheel. 64-bit state, 32-bit words, 24-bit frequencies.

Source: Duda et al., 2015; constriction's AnsCoder.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import CorruptStream
from nacre.entropy.tables import PRECISION, TOTAL

try:
    import constriction
except ImportError:  # Linux on Arm, musl, PyPy: no wheel
    constriction = None

WORD_BYTES = 4
WORD = np.dtype("<u4")

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
        """True when all that was pushed has been popped: a damaged code almost never gets there."""


def _words(data: bytes) -> NDArray[np.uint32]:
    """Undo `Stack.to_bytes`, up to the implementation's own state."""
    if data and not data[-1]:
        raise CorruptStream("coded symbols: the last byte is zero")
    padded = data + bytes(-len(data) % WORD_BYTES)
    return np.frombuffer(padded, WORD).astype(np.uint32)


class FastStack:
    """On constriction: 15 to 20 million symbols a second."""

    def __init__(self, data: bytes = b"") -> None:
        words = _words(data)
        self._coder = (
            constriction.stream.stack.AnsCoder(words)
            if len(words)
            else (constriction.stream.stack.AnsCoder())
        )
        self._models: dict[int, tuple[Ints, object]] = {}

    def _model(self, frequencies: Ints) -> object:
        """A constriction model with exactly these frequencies.

        constriction gives each symbol one count and shares out the other 2**24 - n by the
        probabilities; with the frequencies less one it has nothing to round.
        """
        held = self._models.get(id(frequencies))
        if held is None or held[0] is not frequencies:
            model = constriction.stream.model.Categorical(
                (frequencies - 1).astype(np.float64), perfect=False
            )
            held = self._models[id(frequencies)] = (frequencies, model)
        return held[1]

    def push(self, symbols: Symbols, frequencies: Ints) -> None:
        self._coder.encode_reverse(symbols, self._model(frequencies))

    def pop(self, count: int, frequencies: Ints) -> Symbols:
        return self._coder.decode(self._model(frequencies), count)

    def to_bytes(self) -> bytes:
        return self._coder.get_compressed().astype(WORD).tobytes().rstrip(b"\0")

    def is_empty(self) -> bool:
        return self._coder.is_empty()


class PlainStack:
    """In Python: the same bytes at 0.3 to 1 million symbols a second."""

    def __init__(self, data: bytes = b"") -> None:
        self._bulk: list[int] = _words(data).tolist()
        self._state = 0
        while self._bulk and self._state < 1 << 32:
            self._state = self._state << 32 | self._bulk.pop()

    def push(self, symbols: Symbols, frequencies: Ints) -> None:
        counts = frequencies.tolist()
        starts = (np.cumsum(frequencies) - frequencies).tolist()
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

        counts = frequencies.tolist()
        starts = (np.cumsum(frequencies) - frequencies).tolist()
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


def new_stack(data: bytes = b"") -> Stack:
    """The fastest stack that this platform has. Raises CorruptStream for bytes that none wrote."""
    return FastStack(data) if constriction is not None else PlainStack(data)

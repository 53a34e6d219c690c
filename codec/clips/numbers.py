"""Fields of variable length in the payload of a chunk, read in order."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any

from nacre.codec.chunks import read_varint, write_varint
from nacre.entropy.errors import CorruptStream, UsageError

SIGNED_MAX_BYTES = 10
MAX_PAIRS = 4096  # of metadata
MAX_ALL_PAIRS = 65536  # in one payload: Python reads as many in a fifth of a second
BOUND = 2**62  # largest magnitude of a time in ticks


class Fields:
    """Reads fields from the payload of a chunk. Raises CorruptStream."""

    def __init__(self, data: bytes, what: str, at: int = 0) -> None:
        self._data, self._what, self._at = data, what, at
        self._pairs_left = MAX_ALL_PAIRS

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    @staticmethod
    def of_signed(value: int) -> bytes:
        """LEB128 of a 64-bit number in zigzag form: the sign is the lowest bit."""
        return write_varint(value << 1 ^ (-1 if value < 0 else 0))

    def signed(self) -> int:
        """Undo `of_signed`; longer spellings and magnitudes over BOUND are refused."""
        value = 0
        for i in range(SIGNED_MAX_BYTES):
            byte = self.byte()
            value |= (byte & 127) << 7 * i
            if byte < 128:
                found = value >> 1 ^ -(value & 1)
                if (i and not byte) or abs(found) > BOUND:
                    break
                return found
        raise CorruptStream(f"{self._what}: a number is spelled too long or is too large")

    def byte(self) -> int:
        if self.is_at_end:
            raise CorruptStream(f"{self._what}: the data end inside a number")
        self._at += 1
        return self._data[self._at - 1]

    def varint(self) -> int:
        value, self._at = read_varint(self._data, self._at, self._what)
        return value

    def unpacked(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Fields of fixed size."""
        if layout.size > len(self._data) - self._at:
            raise CorruptStream(f"{self._what}: the data end inside a number")
        self._at += layout.size
        return layout.unpack_from(self._data, self._at - layout.size)

    def sized(self) -> bytes:
        """Bytes that follow their length."""
        size = self.varint()
        if size > len(self._data) - self._at:
            raise CorruptStream(
                f"{self._what}: {size} bytes needed, {len(self._data) - self._at} left"
            )
        self._at += size
        return self._data[self._at - size : self._at]

    @staticmethod
    def of_text(text: str) -> bytes:
        coded = text.encode()
        return write_varint(len(coded)) + coded

    def text(self) -> str:
        """A UTF-8 text that follows its length."""
        try:
            return self.sized().decode()
        except UnicodeDecodeError as error:
            raise CorruptStream(f"{self._what}: text that is not UTF-8") from error

    @staticmethod
    def of_pairs(pairs: Mapping[str, str]) -> bytes:
        """A count, then keys and values. Raises UsageError for more than MAX_PAIRS."""
        if len(pairs) > MAX_PAIRS:
            raise UsageError(f"metadata of {len(pairs)} keys: at most {MAX_PAIRS} are kept")
        texts = [text for pair in pairs.items() for text in pair]
        return write_varint(len(pairs)) + b"".join(map(Fields.of_text, texts))

    def pairs(self) -> dict[str, str]:
        count = self.varint()
        most = min(MAX_PAIRS, self._pairs_left)
        if count > most:
            raise CorruptStream(f"{self._what}: metadata of {count} keys, more than {most}")
        self._pairs_left -= count
        return {self.text(): self.text() for _ in range(count)}

    def name(self, wanted: re.Pattern[str], what: str) -> str:
        """A text that matches `wanted`; `what` names it in errors."""
        found = self.text()
        if not wanted.fullmatch(found):
            raise CorruptStream(f"{self._what}: {found[:40]!r} is not a {what}")
        return found

    def rest(self) -> bytes:
        found, self._at = self._data[self._at :], len(self._data)
        return found

    def finish(self) -> None:
        """Refuse bytes that are left."""
        if not self.is_at_end:
            raise CorruptStream(
                f"{self._what}: {len(self._data) - self._at} bytes more than expected"
            )

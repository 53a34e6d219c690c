"""Values of options with a unit or with commas: sizes, times, rectangles, qualities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nacre.entropy.errors import UsageError

if TYPE_CHECKING:
    from nacre.codec.pictures.turned import Box

BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}
BITS = {"": 1, "k": 10**3, "m": 10**6}
SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def size_bytes(text: str, option: str) -> float:
    """Bytes of "50000", "100kB" or "64KiB". Raises UsageError that names the option."""
    return _with_unit(text, BYTES, option, "50000, 100kB or 64KiB")


def bits_per_second(text: str, option: str) -> float:
    """Bits per second of "800000", "800k" or "1.5M". Raises UsageError that names the option."""
    return _with_unit(text, BITS, option, "800000, 800k or 1.5M")


def seconds(text: str, option: str) -> float:
    """Seconds of "30s", "2m" or "1.5h". Raises UsageError that names the option."""
    return _with_unit(text, SECONDS, option, "30s, 2m or 1.5h")


def _with_unit(text: str, units: dict[str, int], option: str, examples: str) -> float:
    parts = re.fullmatch(r"(\d+\.?\d*|\.\d+) *([a-z]*)", text.strip().lower())
    if parts is None or parts[2] not in units:
        raise UsageError(f"{option} {text}: a number is wanted, as in {examples}")
    return float(parts[1]) * units[parts[2]]


def box(text: str) -> Box | None:
    """Four whole numbers "X,Y,W,H"; None for other text."""
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError:
        return None
    return x, y, width, height


def qualities(text: str) -> tuple[float, ...]:
    """Numbers from a list with commas, sorted, each once. Raises UsageError."""
    try:
        return tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        raise UsageError(f"qualities {text!r}: numbers with commas between them wanted") from None

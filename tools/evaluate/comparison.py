"""All distances between two rate-distortion curves: by several methods, and for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve, Delta, bd_quality, bd_rate
from nacre.tools.evaluate.curves import Measured
from nacre.tools.evaluate.spread import Spread, spread

NO_COMMON_RATE = "no rate in common"


@dataclass(frozen=True)
class Comparison:
    """The distances of `test` from `anchor`; `spread` is None if they share no pictures."""

    anchor: str
    test: str
    rates: dict[str, Delta]  # by method; the mean over the qualities that both curves reach
    qualities: dict[str, Delta | None]  # by method; None where the curves share no rate
    spread: Spread | None
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        found: dict[str, Any] = {"anchor": self.anchor, "test": self.test}
        for method, rate in self.rates.items():
            quality = self.qualities[method]
            found[method] = {
                "bd_rate": asdict(rate),
                "bd_quality": asdict(quality) if quality else None,
            }
        if self.spread is not None:
            found["pictures"] = asdict(self.spread)
        return found


def compare(anchor: Measured, test: Measured, methods: Sequence[str]) -> Comparison:
    """Compare two curves; the spread uses the first method. Raises UsageError if they share no quality."""
    a, b = anchor.curve, test.curve
    rates = {method: bd_rate(a, b, method) for method in methods}
    qualities = {method: _bd_quality(a, b, method) for method in methods}
    remarks = []
    if a.dataset and b.dataset and a.dataset != b.dataset:
        remarks.append(f"the sets differ: {a.dataset} and {b.dataset}")
    for method in methods:
        quality = qualities[method]
        remarks += rates[method].remarks
        remarks += quality.remarks if quality else (NO_COMMON_RATE,)
    found = spread(anchor, test, methods[0])
    return Comparison(a.name, b.name, rates, qualities, found, tuple(dict.fromkeys(remarks)))


def _bd_quality(anchor: Curve, test: Curve, method: str) -> Delta | None:
    try:
        return bd_quality(anchor, test, method)
    except UsageError:
        return None

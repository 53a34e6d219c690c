"""BD-rate of each picture; a mean curve hides the pictures that a codec codes badly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import bd_rate
from nacre.tools.evaluate.curves import Measured

WORST = 3  # number of named pictures


@dataclass(frozen=True)
class Spread:
    """BD-rates in per cent over the pictures that two codecs share."""

    bd_rate: dict[str, float]  # by picture
    apart: tuple[str, ...]  # pictures whose curves share no quality
    lower: float  # quartile, per cent
    median: float
    upper: float
    worst: tuple[tuple[str, float], ...]  # the highest first


def spread(anchor: Measured, test: Measured, method: str = "pchip") -> Spread | None:
    """Return the spread of `test` against `anchor`; None when no picture has a curve in both."""
    values, apart = {}, []
    for name in sorted(anchor.pictures.keys() & test.pictures.keys()):
        try:
            values[name] = bd_rate(anchor.pictures[name], test.pictures[name], method).value
        except UsageError:
            apart.append(name)
    if not values:
        return None
    lower, median, upper = (float(v) for v in np.percentile(list(values.values()), [25, 50, 75]))
    order = sorted(values.items(), key=lambda pair: -pair[1])
    return Spread(values, tuple(apart), lower, median, upper, tuple(order[:WORST]))

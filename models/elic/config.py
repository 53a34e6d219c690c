"""The shape of a model of the family elic: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.channel_context import AGGREGATIONS
from nacre.models.parts.hyperprior import MOST_TABLES, HyperpriorConfig

MOST_CHANNELS, MOST_BLOCKS = 4096, 64
# The fields in which CompressAI's two configurations differ.
OFFICIAL = {
    "hyper_width32": 192, "hyper_width16": 288, "features": 384,
    "aggregation": "even", "shares_aggregation": True,
}  # fmt: skip
CHANDELIER = {**OFFICIAL, "features": 640, "aggregation": "wide", "sees_all_groups": False}


@dataclass(frozen=True)
class ElicConfig(HyperpriorConfig):
    """ELIC in the configuration that later papers count. Widths and groups are channels, blocks are counts."""

    width: int = 192  # transforms at strides 2, 4 and 8, and hyper analysis
    blocks: int = 3  # residual bottlenecks at each of these strides, on each side
    group1: int = 16  # of y; the fifth group has the remaining channels
    group2: int = 16
    group3: int = 32
    group4: int = 64
    hyper_width32: int = 320  # hyper synthesis at stride 32
    hyper_width16: int = 480  # at stride 16
    features: int = 640  # output of the hyper synthesis
    context_width1: int = 224  # hidden layers of a channel context
    context_width2: int = 128
    sees_all_groups: bool = True  # earlier groups; otherwise the first and the previous one
    aggregation: str = "narrow"  # see parts/channel_context.py
    shares_aggregation: bool = False  # by both passes of a group
    predicts_residual: bool = False  # latent residual prediction; none in ELIC

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, value in vars(self).items():
            if isinstance(value, (bool, str)):
                continue
            most = _most(name)
            least = 0 if name.startswith("lambda") or name == "blocks" else 1
            if not least <= value <= most:
                raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}")
        if self.knots < 2 or not 0 < self.lambda_min <= self.lambda_max:
            raise ValueError("knots is under 2, lambda_min not over 0 or over lambda_max")
        if self.width < 2 or self.latent < 2:
            raise ValueError("width or latent is under 2: blocks have half as many channels inside")
        if self.groups[-1] < 1:
            raise ValueError(
                f"groups are over {self.latent} channels: nothing is left for the last"
            )
        if self.aggregation not in AGGREGATIONS:
            names = ", ".join(AGGREGATIONS)
            raise ValueError(f"aggregation is {self.aggregation!r}: expected one of {names}")

    @property
    def groups(self) -> tuple[int, ...]:
        """Channels of y in each group."""
        first = (self.group1, self.group2, self.group3, self.group4)
        return (*first, self.latent - sum(first))


def _most(name: str) -> int:
    if name == "hyper":
        return MOST_TABLES
    return MOST_BLOCKS if name == "blocks" else MOST_CHANNELS

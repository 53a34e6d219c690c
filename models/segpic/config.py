"""The shape of a model of the family segpic: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.channel_slices import HEAD_WIDTH
from nacre.models.parts.hyperprior import MOST_TABLES, STRIDE, HyperpriorConfig

MOST_CHANNELS, MOST_ENTRIES = 4096, 4096
MOST_WINDOW, MOST_REGION_WINDOW = 32, 512


@dataclass(frozen=True)
class SegpicConfig(HyperpriorConfig):
    """Defaults are published values of SegPIC, arXiv:2403.00628, which builds on WACNN, arXiv:2203.08450."""

    width: int = 192  # transforms, finer than stride 16
    last_width: int = 32  # of the synthesis, at stride 1
    heads: int = 8  # of window attention
    window4: int = 8  # positions a side of a window of attention, at stride 4
    window16: int = 4  # at stride 16
    region_window: int = 64  # pixels a side of a region where there are no labels; a multiple of 16
    slices: int = 10
    support: int = 5  # first slices that a prediction sees
    context_width: int = 224
    dictionary_entries: int = 0  # 0: no dictionary; DCAE, arXiv:2504.00496, has 128
    dictionary_heads: int = 20  # of 32 channels each

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        most = {
            "hyper": MOST_TABLES,
            "window4": MOST_WINDOW,
            "window16": MOST_WINDOW,
            "region_window": MOST_REGION_WINDOW,
            "dictionary_heads": MOST_CHANNELS // HEAD_WIDTH,
            "float_scales": True,
        }
        least = {"support": 0, "dictionary_entries": 0, "float_scales": False, "knots": 2}
        for name, value in vars(self).items():
            low, high = least.get(name, 1), most.get(name, MOST_CHANNELS)
            if name.startswith("lambda"):
                low = 0
            if not (low <= value <= high):
                raise ValueError(f"{name} is {value!r}: expected a number from {low} to {high}")
        if not 0 < self.lambda_min <= self.lambda_max:
            raise ValueError("lambda_min is not over 0, or over lambda_max")
        if self.width % self.heads or self.latent % self.heads:
            raise ValueError(f"heads is {self.heads}: expected a divisor of width and latent")
        if self.slices > self.latent:
            raise ValueError(f"slices is {self.slices}: expected no more than channels of y")
        if self.region_window % STRIDE:
            raise ValueError(f"region_window is {self.region_window}: expected a multiple of 16")

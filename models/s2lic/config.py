"""The shape of a model of the family s2lic: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.hyperprior import HyperpriorConfig

MOST_CHANNELS, MOST_BLOCKS, MOST_SLICES, MOST_WINDOW = 4096, 64, 64, 64
STRIDES = (2, 4, 8)  # pixels a side for one position, where the windowed blocks are


@dataclass(frozen=True)
class S2licConfig(HyperpriorConfig):
    """Widths are channels, depths are counts of blocks. Defaults are from arXiv:2403.14471."""

    width: int = 192  # transforms and hyper-analysis
    depth2: int = 1  # windowed blocks at stride 2, on each side
    depth4: int = 2
    depth8: int = 3
    heads2: int = 4  # of attention
    heads4: int = 8
    heads8: int = 16
    window: int = 8  # positions a side
    enhancement: int = 64  # width of the dense enhancement
    growth: int = 32  # channels that each of its layers adds
    slices: int = 10  # of y
    head_width: int = 32  # channels of a head of the attention in contexts
    local_depth: int = 0  # windowed blocks by which non-anchors see anchors; 0 as published

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, value in vars(self).items():
            if name == "float_scales":
                continue
            most = {"slices": MOST_SLICES, "window": MOST_WINDOW}.get(name, MOST_CHANNELS)
            most = MOST_BLOCKS if "depth" in name else most
            may_be_zero = name == "local_depth"
            least = 0 if name.startswith("lambda") or may_be_zero else 1
            if not (least <= value <= most and (value or may_be_zero)):
                raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}")
        if self.knots < 2 or self.lambda_min > self.lambda_max:
            raise ValueError("knots is under 2, or lambda_min over lambda_max")
        if self.slices < 2 or self.latent % self.slices:
            raise ValueError(f"slices is {self.slices}: expected 2 or more, a divisor of latent")
        if self.slice_width % self.head_width:
            raise ValueError(f"head_width is {self.head_width}: expected a divisor of a slice")
        if any(self.width % heads for heads in (self.heads2, self.heads4, self.heads8)):
            raise ValueError("heads2, heads4 or heads8 is no divisor of width")
        if self.window % 2:
            raise ValueError(f"window is {self.window}: expected an even number")

    @property
    def slice_width(self) -> int:
        """Channels of a slice of y."""
        return self.latent // self.slices

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """Stride, depth and heads of the windowed blocks."""
        depths = (self.depth2, self.depth4, self.depth8)
        return tuple(zip(STRIDES, depths, (self.heads2, self.heads4, self.heads8), strict=True))

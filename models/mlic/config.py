"""The shape of a model of the family mlic: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.hyperprior import HyperpriorConfig

V2 = {"token_mixing": True, "rotary": True, "hyper_global": True, "reweighting": True}
MOST_CHANNELS, MOST_SLICES, MOST_KNOTS, LARGEST_WINDOW = 1024, 64, 256, 15


@dataclass(frozen=True)
class MlicConfig(HyperpriorConfig):
    """Widths are channels. The defaults are MLIC++; `V2` switches the parts of MLICv2 on."""

    width: int = 192  # of the transforms, at strides 2, 4 and 8
    slices: int = 10  # of y, all of one size
    window: int = 5  # positions a side, of local attention
    heads: int = 2  # of local attention, and of global attention within a slice
    token_mixing: bool = False  # transforms have token mixing blocks in place of residual blocks
    rotary: bool = False  # local attention has rotary positions in place of a learned bias
    hyper_global: bool = False  # the first slice has a global context, from the hyper features
    reweighting: bool = False  # channels of global contexts are reweighted

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name in ("latent", "hyper", "scale_width", "width"):
            value = getattr(self, name)
            if not 1 <= value <= MOST_CHANNELS:
                raise ValueError(f"{name} is {value!r}: expected 1 to {MOST_CHANNELS}")
        if not 1 <= self.slices <= MOST_SLICES or self.latent % self.slices:
            raise ValueError(f"{self.latent} channels make no {self.slices} slices of one size")
        if not 1 <= self.window <= LARGEST_WINDOW or not self.window % 2:
            raise ValueError(f"window is {self.window}: expected odd, up to {LARGEST_WINDOW}")
        if self.heads < 1 or self.slice_channels % self.heads:
            raise ValueError(
                f"{self.slice_channels} channels of a slice make no {self.heads} heads"
            )
        if self.rotary and self.slice_channels // self.heads % 4:
            raise ValueError("rotary positions need channels of a head by fours")
        if not 2 <= self.knots <= MOST_KNOTS or not 0 < self.lambda_min <= self.lambda_max:
            raise ValueError("knots is under 2, or lambda_min is zero or over lambda_max")

    @property
    def slice_channels(self) -> int:
        return self.latent // self.slices

    @property
    def features(self) -> int:
        """Channels of the hyper features; the second half of them is for means."""
        return 2 * self.latent

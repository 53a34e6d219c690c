"""The shape of a model of the family hpcm: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.entropy.schedule import HIERARCHY_GROUPS
from nacre.models.parts.hyperprior import MOST_TABLES, HyperpriorConfig

MOST_CHANNELS, MOST_BLOCKS, MOST_WINDOW = 4096, 64, 64


@dataclass(frozen=True)
class HpcmConfig(HyperpriorConfig):
    """HPCM-Base; `LARGE` makes HPCM-Large. Widths are channels, blocks are counts."""

    hyper: int = 256  # z, at stride 64
    width2: int = 96  # transforms at stride 2
    width4: int = 192  # at stride 4
    width8: int = 384  # at stride 8
    blocks2: int = 2  # at stride 2, on each side
    blocks4: int = 2
    blocks8: int = 4
    hyper_width: int = 256  # hyper transforms at stride 32
    hyper_blocks: int = 3  # at stride 32, on each side
    coarse_blocks: int = 3  # of the context at quarter and half resolution
    fine_blocks: int = 5  # of the context at full resolution
    heads: int = 32  # of the attention to the state
    window_quarter: int = 4  # side of a window at a quarter of the resolution, in its positions
    window_half: int = 8
    window_full: int = 8

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, value in vars(self).items():
            most = _most(name)
            least = 0 if name.startswith("lambda") or "blocks" in name else 1
            if name != "float_scales" and not least <= value <= most:
                raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}")
        if self.knots < 2 or not 0 < self.lambda_min <= self.lambda_max:
            raise ValueError("knots is under 2, lambda_min not over 0 or over lambda_max")
        if self.latent % HIERARCHY_GROUPS:
            raise ValueError(f"latent is {self.latent}: expected a multiple of {HIERARCHY_GROUPS}")
        if 2 * self.latent % self.heads:
            raise ValueError(f"heads is {self.heads}: {2 * self.latent} channels do not divide")
        for name in ("width2", "width4", "width8", "hyper_width"):
            if getattr(self, name) < 4:
                raise ValueError(f"{name} is under 4: a quarter of the channels is convolved")


def _most(name: str) -> int:
    if name == "hyper":
        return MOST_TABLES
    if "blocks" in name:
        return MOST_BLOCKS
    return MOST_WINDOW if "window" in name else MOST_CHANNELS


LARGE = {"blocks8": 8, "coarse_blocks": 4, "fine_blocks": 7}  # the fields of HPCM-Large that differ

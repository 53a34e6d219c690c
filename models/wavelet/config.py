"""The shape of a wavelet model: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.hyperprior import HyperpriorConfig
from nacre.models.parts.wavelets import WAVELETS

MOST_LEVELS = 5
MOST_CHANNELS, MOST_BLOCKS = 4096, 64
COLOURS = 3


@dataclass(frozen=True)
class WaveletConfig(HyperpriorConfig):
    """Widths are channels, blocks are counts. Reduction is 3 * 4**levels / latent: 4x by default."""

    latent: int = 48  # y, at stride 2**levels
    hyper: int = 32  # z
    scale_width: int = 48  # scale network
    levels: int = 3  # of the packet
    wavelet: str = "9/7"  # or "5/3", "haar"
    width: int = 192  # decoder
    blocks: int = 4  # decoder
    hyperprior: bool = (
        True  # without it there is no z and no context: tables by channel and quality
    )
    hyper_stride: int = 4  # positions of y a side for one of z: 4 or 8
    hyper_width: int = 64  # hyper analysis and hyper synthesis
    context: int = 64  # hyper features and mean context
    context_blocks: int = 1
    layers: int = 4  # groups of channels, by worth; a file may end after each
    passes: int = 1  # turns of a layer: 1, or 2 for a checkerboard
    drop: float = 0.25  # share of training samples that keep only the first few channels of y

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        self._check_choices()
        for name, value in vars(self).items():
            if isinstance(value, (str, bool)) or name == "drop":
                continue
            most = MOST_BLOCKS if "blocks" in name else MOST_CHANNELS
            least = 0 if name.startswith("lambda") else 1
            if not (least <= value <= most and value):
                raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}")
        if self.knots < 2 or self.lambda_min > self.lambda_max:
            raise ValueError("knots is under 2, or lambda_min over lambda_max")
        if not self.layers <= self.latent <= min(self.width, self.bands):
            raise ValueError(
                f"latent is {self.latent}: expected {self.layers} (layers) to "
                f"{min(self.width, self.bands)} (width, and bands of the packet)"
            )

    def _check_choices(self) -> None:
        for name, known in (
            ("wavelet", tuple(WAVELETS)),
            ("levels", tuple(range(1, MOST_LEVELS + 1))),
            ("hyper_stride", (4, 8)),
            ("passes", (1, 2)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}: expected one of {known}")
        if not 0 <= self.drop <= 1:
            raise ValueError(f"drop is {self.drop!r}: expected a number from 0 to 1")

    @property
    def stride(self) -> int:
        """Pixels a side for one position of y."""
        return int(2**self.levels)

    @property
    def bands(self) -> int:
        """Coefficients of the packet at one position, of all colours."""
        return COLOURS * self.stride**2

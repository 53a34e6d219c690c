"""The shape of a model of the default family: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHANNELS, MOST_BLOCKS = 4096, 64


@dataclass(frozen=True)
class NacreConfig:
    """Widths are channels, blocks are counts. Loading never guesses a field from the shape of a weight."""

    width8: int = 128  # transforms at stride 8
    width16: int = 256  # transforms at stride 16
    latent: int = 320  # y, at stride 16
    hyper: int = 96  # z, at stride 64
    hyper_analysis_width: int = 128
    hyper_width: int = 192  # hyper synthesis
    context: int = 256  # mean context
    scale_width: int = 128  # scale network
    blocks8: int = 3  # at stride 8, on each side
    blocks16: int = 3  # at stride 16, on each side
    context_blocks: int = 1
    knots: int = 10  # of the quality tables
    lambda_min: float = 0.0012  # at quality 1; loss = bits per pixel + lambda * MSE on 0..255
    lambda_max: float = 1.0901  # at quality 100

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, value in vars(self).items():
            most = MOST_BLOCKS if "blocks" in name else MOST_CHANNELS
            least = 0 if name.startswith("lambda") else 1
            if not (least <= value <= most and value):
                raise ValueError(f"{name} is {value!r}: expected a number from {least} to {most}")
        if self.knots < 2 or self.lambda_min > self.lambda_max:
            raise ValueError("knots is under 2, or lambda_min over lambda_max")

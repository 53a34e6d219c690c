"""The networks of MLIC++ and MLICv2, put together."""

from __future__ import annotations

from nacre.models.family import Reach
from nacre.models.mlic.config import MlicConfig
from nacre.models.mlic.context import MultiReferenceContext
from nacre.models.mlic.transforms import (
    MlicAnalysis,
    MlicHyperAnalysis,
    MlicHyperSynthesis,
    MlicSynthesis,
    stage_reach,
)
from nacre.models.parts.hyperprior import STRIDE, GainUnitNetwork

STAGE_STRIDES = 16, 8, 4, 2  # of the synthesis; the analysis has no stage at stride 16
BYTES = 4  # of a number
HELD = 6  # activations of stride 2 held at once: input, skip, branch, squares, norms, product
# Activations that a gradient keeps: of a block that doubles sides, of a residual stage, of a mixing stage.
HELD_UP, HELD_STAGE, HELD_MIXING = 9, 5, 38
COARSER = 4 / 3  # activations of all strides, over those of stride 2


class MlicNetwork(GainUnitNetwork):
    """Codes z at stride 64 in one turn, then ten slices of y at stride 16 in twenty."""

    def __init__(self, config: MlicConfig) -> None:
        super().__init__(
            config,
            reach(config),
            MlicAnalysis(config),
            MlicSynthesis(config),
            MlicHyperAnalysis(config),
            MlicHyperSynthesis(config),
            MultiReferenceContext(config),
        )


def reach(c: MlicConfig) -> Reach:
    """The halo is the sum over the layers of the synthesis, in pixels; the analysis looks less far.

    Bytes are estimated from the widths at stride 2, where most activations are.
    """
    pixels = STAGE_STRIDES[-1]  # of the last sub-pixel layer
    for stride in STAGE_STRIDES:
        pixels += stage_reach(c) * stride
        if stride > STAGE_STRIDES[-1]:
            pixels += stride + stride // 2  # up: a sub-pixel layer, then a convolution
    activation = BYTES * max(c.width, 16) / STAGE_STRIDES[-1] ** 2
    planes = BYTES * (c.latent + c.features) / STRIDE**2
    kept = HELD_UP + (HELD_MIXING if c.token_mixing else HELD_STAGE)
    windows = BYTES * (3 * c.slice_channels * c.window**2 + 2 * c.heads * c.window**4) / STRIDE**2
    return Reach(
        STRIDE,
        -(-pixels // STRIDE),
        block_bytes=HELD * activation,
        band_bytes=3 * planes,
        tile_bytes=6 * planes + 2 * windows,
        search_bytes=COARSER * kept * activation,
    )

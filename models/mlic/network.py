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

STAGE_STRIDES = 16, 8, 4, 2  # of the synthesis; the analysis lacks the first
BYTES = 4  # of a number
HELD = 6  # activations of stride 2 that exist at once: input, way around, branch, squares, norms, product
HELD_UP, HELD_STAGE, HELD_MIXING = (
    9,
    5,
    38,
)  # that a gradient keeps: of a block that doubles sides, of a stage
COARSER = 4 / 3  # all strides, in activations of stride 2


class MlicNetwork(GainUnitNetwork):
    """Ten slices of y at stride 16 in twenty turns, z at stride 64 in one before them."""

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
    """The halo adds what each layer of the synthesis looks, in pixels; the analysis looks less far.

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

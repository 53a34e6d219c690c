"""The networks of the family hpcm, put together."""

from __future__ import annotations

from nacre.models.family import Reach
from nacre.models.hpcm.config import HpcmConfig
from nacre.models.hpcm.context import KINDS, HierarchicalContext
from nacre.models.hpcm.transforms import (
    PartialAnalysis,
    PartialSynthesis,
    hyper_analysis,
    hyper_synthesis,
)
from nacre.models.parts.hyperprior import STRIDE, GainUnitNetwork

FLOAT = 4  # bytes


class HpcmNetwork(GainUnitNetwork):
    """HPCM, arXiv:2507.19125: codes z at stride 64 in one turn, then y at stride 16 in eleven.

    Differs: a Gaussian whose tables are fitted after training, in place of the published generalised Gaussian
    of shape 1.5; one network for all qualities.
    """

    def __init__(self, config: HpcmConfig) -> None:
        super().__init__(
            config,
            reach(config),
            PartialAnalysis(config),
            PartialSynthesis(config),
            hyper_analysis(config),
            hyper_synthesis(config),
            HierarchicalContext(config),
        )


def reach(c: HpcmConfig) -> Reach:
    """The halo adds one position of its stride for a block and one pixel for the outermost layers.

    Bytes are estimated from the widths, for 512x512 pixels on a CPU. Block: 12 times the width at stride 2,
    with its MLP. Tile: 16 times the width of the context for a turn at full resolution. Search: 10 times the
    width of each block of the synthesis.
    """
    stages = ((2, c.width2, c.blocks2), (4, c.width4, c.blocks4), (8, c.width8, c.blocks8))
    pixels = 1 + sum(stride * blocks for stride, _, blocks in stages)
    block = FLOAT * 12 * c.width2 / 2**2
    band = FLOAT * (2 + KINDS) * c.latent / STRIDE**2
    turn = FLOAT * 16 * (KINDS + 1) * c.latent / STRIDE**2
    kept = FLOAT * 10 * sum(width * blocks / stride**2 for stride, width, blocks in stages)
    return Reach(STRIDE, -(-pixels // STRIDE), block, band, turn, block + kept)

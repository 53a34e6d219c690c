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
SEARCH_COPIES = 6  # activations of all layers, kept for the gradient, to those of the widest layer


class HpcmNetwork(GainUnitNetwork):
    """HPCM, arXiv:2507.19125: y at stride 16 is coded in eleven turns, z at stride 64 in one before them.

    Differs: a Gaussian whose tables are fitted after training, where the published form is a generalised
    Gaussian of shape 1.5; one network for all qualities.
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
    """A block looks one position of its stride further, the outermost layers one pixel.

    Bytes are estimates from the widths. The widest activations are those of a block at stride 2: its input,
    the mixed channels, and the MLP. A turn at full resolution holds the features, y, the state and the MLP.
    """
    pixels = 1 + 2 * c.blocks2 + 4 * c.blocks4 + 8 * c.blocks8
    block = FLOAT * 7 * c.width2 / 2**2
    band = FLOAT * (2 + KINDS) * c.latent / STRIDE**2
    turn = FLOAT * 6 * (KINDS + 1) * c.latent / STRIDE**2
    return Reach(STRIDE, -(-pixels // STRIDE), block, band, band + turn, SEARCH_COPIES * block)

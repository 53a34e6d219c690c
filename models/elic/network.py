"""The networks of the family elic, put together."""

from __future__ import annotations

from nacre.models.elic.config import ElicConfig
from nacre.models.elic.context import group_context
from nacre.models.elic.transforms import (
    BottleneckAnalysis,
    BottleneckSynthesis,
    hyper_analysis,
    hyper_synthesis,
)
from nacre.models.family import Reach
from nacre.models.parts.channel_context import KINDS
from nacre.models.parts.hyperprior import STRIDE, GainUnitNetwork

FLOAT = 4  # bytes


class ElicNetwork(GainUnitNetwork):
    """ELIC, arXiv:2203.10886: codes z at stride 64 in one turn, then y at stride 16 in ten.

    Differs: one network for all qualities; z has tables instead of a factorised network.
    """

    def __init__(self, config: ElicConfig) -> None:
        super().__init__(
            config,
            reach(config),
            BottleneckAnalysis(config),
            BottleneckSynthesis(config),
            hyper_analysis(config),
            hyper_synthesis(config),
            group_context(config),
        )


def reach(c: ElicConfig) -> Reach:
    """The halo adds 2 positions of the finer stride for a 5x5 convolution, 1 for a block, 3 for attention.

    Bytes are estimated from the widths. Block: 8 times the width at stride 2. Band: its planes and features.
    Tile: twice the widest input of a turn. Search: also 4 times the width of each block of the synthesis.
    """
    strides = (2, 4, 8)
    pixels = sum(2 * stride for stride in (1, *strides)) + 3 * (4 + STRIDE)
    pixels += sum(stride * c.blocks for stride in strides)
    block = FLOAT * 8 * c.width / 2**2
    band = FLOAT * (2 * c.latent + c.features) / STRIDE**2
    widest = c.features + 2 * KINDS * max(c.groups)
    turn = FLOAT * 2 * (widest + c.latent + c.context_width1) / STRIDE**2
    kept = FLOAT * 4 * c.width * (c.blocks + 2) * sum(1 / stride**2 for stride in strides)
    return Reach(STRIDE, -(-pixels // STRIDE), block, band, turn, block + kept)

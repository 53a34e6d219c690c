"""The networks of S2LIC, put together."""

from __future__ import annotations

from nacre.models.family import Reach
from nacre.models.parts.dense import LAYERS
from nacre.models.parts.hyperprior import STRIDE, GainUnitNetwork
from nacre.models.s2lic.config import STRIDES, S2licConfig
from nacre.models.s2lic.context import S2licContext
from nacre.models.s2lic.hyper import S2licHyperAnalysis, S2licHyperSynthesis
from nacre.models.s2lic.transforms import S2licAnalysis, S2licSynthesis, align, halos


class S2licNetwork(GainUnitNetwork):
    """S2LIC with gains, by which one network serves all qualities.

    Source: Wang et al., arXiv:2403.14471, and its public model file. The file does not contain the layers of
    its blocks; they follow the works that it names (see the parts).
    """

    def __init__(self, config: S2licConfig) -> None:
        super().__init__(
            config,
            reach(config),
            S2licAnalysis(config),
            S2licSynthesis(config),
            S2licHyperAnalysis(config),
            S2licHyperSynthesis(config),
            S2licContext(config),
        )


def reach(c: S2licConfig) -> Reach:
    """Bytes per pixel are estimated from the widths, not measured.

    A block holds the channels of a dense block twice while they are joined, or a windowed block at stride 2
    with its MLP and its attention weights. A tile holds the contexts of the last slice. A search keeps all.
    """
    pixel, position = 4, 4 / STRIDE**2  # bytes of a float, for a pixel and a position of y
    dense = 2 * (c.enhancement + (LAYERS - 1) * c.growth)
    windowed = (8 * c.width + 3 * c.heads2 * c.window**2) / STRIDES[0] ** 2
    blocks = c.depth2 + c.depth4 / 4 + c.depth8 / 16
    return Reach(
        STRIDE,
        max(halos(c)),
        block_bytes=pixel * max(dense, windowed),
        band_bytes=position * 14 * c.latent,
        tile_bytes=position * 24 * c.latent,
        search_bytes=pixel * (4 * dense + 3 * windowed * blocks),
        align=align(c),
    )

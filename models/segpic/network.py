"""The networks of the family segpic, put together."""

from __future__ import annotations

from math import lcm

from torch import Tensor

from nacre.entropy.schedule import Schedule
from nacre.entropy.walk import Planes
from nacre.models.family import Reach
from nacre.models.parts.channel_slices import ChannelSliceContext, SliceShape, slice_turns
from nacre.models.parts.hyperprior import STRIDE, GainUnitNetwork
from nacre.models.parts.rate import Coded
from nacre.models.parts.region_adaptive import RegionAdaptiveTransform
from nacre.models.parts.regions import PrivilegedRegions, Regions, colour_regions
from nacre.models.parts.window_attention import WindowAttentionBlock
from nacre.models.segpic.config import SegpicConfig
from nacre.models.segpic.transforms import (
    RegionAnalysis,
    RegionHyperAnalysis,
    RegionHyperSynthesis,
    RegionSynthesis,
)

# Pixels that four 5x5 kernels, at strides 1 to 8, look beyond a pixel.
CONVOLUTIONS = 2 * (1 + 2 + 4 + 8)

LEAST_SHARE = 0.25  # of the published network's memory, at least: pixels and their copies remain


class SegpicNetwork(GainUnitNetwork):
    """SegPIC, arXiv:2403.00628: the transforms and the context of WACNN with region-adaptive layers.

    Training may use the regions of a picture; coding uses windows (see parts/regions.py).
    """

    def __init__(self, config: SegpicConfig) -> None:
        regions = PrivilegedRegions(config.region_window)
        super().__init__(
            config,
            reach(config),
            RegionAnalysis(config, regions),
            RegionSynthesis(config, regions),
            RegionHyperAnalysis(config, regions),
            RegionHyperSynthesis(config, regions),
            ChannelSliceContext(
                SliceShape(
                    config.latent,
                    config.latent,
                    config.slices,
                    config.support,
                    config.context_width,
                    config.float_scales,
                    config.dictionary_entries,
                    config.dictionary_heads,
                )
            ),
        )
        self.regions = regions

    def forward(
        self, x: Tensor, t: Tensor, hard: bool = False, regions: Regions | None = None
    ) -> Coded:
        """The training pass, with the regions of x; by default they are made from its colours.

        In evaluation mode without regions, windows take their place, as in a file.
        """
        if regions is None and self.training:
            regions = colour_regions(x)
        with self.regions.known(regions):
            return super().forward(x, t, hard)

    def shown(self, y_hat: Tensor, features: Tensor) -> Planes:
        return {"y": y_hat}


def turns(c: SegpicConfig) -> Schedule:
    """The turns of y."""
    return slice_turns(c.latent, c.slices)


def reach(c: SegpicConfig) -> Reach:
    """The reach of analysis and synthesis, which mirror each other.

    Bytes of a block were measured on a CPU at the published widths: the scale affine layer at stride 2 has the
    peak. Bytes of a search are the tensors kept for the gradient. All bytes are scaled with the widths.
    """
    pixels = (
        CONVOLUTIONS
        + WindowAttentionBlock.reach(c.window4, 4)
        + RegionAdaptiveTransform.reach(c.region_window)
        + WindowAttentionBlock.reach(c.window16, STRIDE)
    )
    align = lcm(STRIDE, 4 * c.window4, STRIDE * c.window16, c.region_window) // STRIDE
    width, planes = max(c.width / 192, LEAST_SHARE), max(c.latent / 320, LEAST_SHARE)
    halo = -(-pixels // STRIDE)
    return Reach(STRIDE, halo, 1800 * width, 25 * planes, 120 * planes, 8000 * width, align)

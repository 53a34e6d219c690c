"""The networks of the scale hyperprior, put together.

Source: bmshj2018, arXiv:1802.01436. Differs: gain units make one network serve all qualities; scales that code
come from the hyper-synthesis in integers.
"""

from __future__ import annotations

from nacre.models.hyperprior.config import ScaleHyperpriorConfig
from nacre.models.parts.exact_convolutions import ConvolutionShape
from nacre.models.parts.gdn_transforms import (
    KERNEL,
    GdnAnalysis,
    GdnSynthesis,
    HyperConvolutions,
    gdn_reach,
)
from nacre.models.parts.synthesis_network import SynthesisScaleNetwork

RELU = 0.0


def synthesis_layers(c: ScaleHyperpriorConfig) -> tuple[ConvolutionShape, ...]:
    """h_s: z_hat to the scales of y."""
    return (
        ConvolutionShape(c.hyper, c.width, KERNEL, 2, True, RELU),
        ConvolutionShape(c.width, c.width, KERNEL, 2, True, RELU),
        ConvolutionShape(c.width, c.latent, 3, slope=RELU),
    )


class ScaleHyperpriorNetwork(SynthesisScaleNetwork):
    """y has mean zero, and a scale for each element."""

    def __init__(self, config: ScaleHyperpriorConfig) -> None:
        super().__init__(
            config,
            gdn_reach(config),
            GdnAnalysis(config.width, config.latent),
            GdnSynthesis(config.width, config.latent),
            HyperConvolutions(config.latent, config.width, config.hyper, RELU, True),
            synthesis_layers(config),
            has_means=False,
        )

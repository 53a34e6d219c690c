"""The networks of the mean-scale hyperprior, put together.

Source: mbt2018-mean, arXiv:1809.02736, the model without context. Differs: gain units make one network serve
all qualities; scales that code come from the hyper-synthesis in integers, means from the one in floats.
"""

from __future__ import annotations

from nacre.models.mean_scale.config import MeanScaleConfig
from nacre.models.parts.exact_convolutions import ConvolutionShape
from nacre.models.parts.gdn_transforms import (
    KERNEL,
    GdnAnalysis,
    GdnSynthesis,
    HyperConvolutions,
    gdn_reach,
)
from nacre.models.parts.synthesis_network import SynthesisScaleNetwork

SLOPE = 0.01


def synthesis_layers(c: MeanScaleConfig) -> tuple[ConvolutionShape, ...]:
    """h_s: z_hat to the scales of y, then its means."""
    middle = 3 * c.latent // 2
    return (
        ConvolutionShape(c.hyper, c.latent, KERNEL, 2, True, SLOPE),
        ConvolutionShape(c.latent, middle, KERNEL, 2, True, SLOPE),
        ConvolutionShape(middle, 2 * c.latent, 3),
    )


class MeanScaleNetwork(SynthesisScaleNetwork):
    """y has a mean and a scale for each element."""

    def __init__(self, config: MeanScaleConfig) -> None:
        super().__init__(
            config,
            gdn_reach(config),
            GdnAnalysis(config.width, config.latent),
            GdnSynthesis(config.width, config.latent),
            HyperConvolutions(config.latent, config.width, config.hyper, SLOPE),
            synthesis_layers(config),
            has_means=True,
        )

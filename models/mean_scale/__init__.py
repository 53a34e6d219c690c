"""The mean-scale hyperprior of arXiv:1809.02736 (mbt2018-mean in CompressAI)."""

from nacre.models.family import Family
from nacre.models.mean_scale.config import MeanScaleConfig
from nacre.models.mean_scale.network import MeanScaleNetwork, synthesis_layers
from nacre.models.parts.synthesis_network import synthesis_integers_reader

FAMILY = Family(
    "mean-scale", MeanScaleConfig, MeanScaleNetwork, synthesis_integers_reader(synthesis_layers)
)

__all__ = ["FAMILY", "MeanScaleConfig", "MeanScaleNetwork"]

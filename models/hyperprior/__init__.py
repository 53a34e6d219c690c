"""The scale hyperprior of arXiv:1802.01436 (bmshj2018-hyperprior in CompressAI)."""

from nacre.models.family import Family
from nacre.models.hyperprior.config import ScaleHyperpriorConfig
from nacre.models.hyperprior.network import ScaleHyperpriorNetwork, synthesis_layers
from nacre.models.parts.synthesis_network import synthesis_integers_reader

FAMILY = Family(
    "hyperprior",
    ScaleHyperpriorConfig,
    ScaleHyperpriorNetwork,
    synthesis_integers_reader(synthesis_layers),
)

__all__ = ["FAMILY", "ScaleHyperpriorConfig", "ScaleHyperpriorNetwork"]

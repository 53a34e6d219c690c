"""The scale hyperprior of arXiv:1802.01436 (bmshj2018-hyperprior in CompressAI)."""

from nacre.models.family import Family, Published
from nacre.models.hyperprior.config import ScaleHyperpriorConfig
from nacre.models.hyperprior.network import ScaleHyperpriorNetwork, synthesis_layers
from nacre.models.parts.synthesis_network import synthesis_integers_reader

PAPER = "arXiv:1802.01436"
NOTE = "beside the published layers: gains, medians, and the scales of tables by channel"
LOW = {"width": 128, "latent": 192, "hyper": 128}  # channels of low rates

FAMILY = Family(
    "hyperprior",
    ScaleHyperpriorConfig,
    ScaleHyperpriorNetwork,
    synthesis_integers_reader(synthesis_layers),
    (
        Published("bmshj2018-hyperprior, low rates", PAPER, LOW, 5.068, 87.1, NOTE),
        Published("bmshj2018-hyperprior, high rates", PAPER, {}, 11.805, 194.0, NOTE),
    ),
)

__all__ = ["FAMILY", "ScaleHyperpriorConfig", "ScaleHyperpriorNetwork"]

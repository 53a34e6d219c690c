"""The mean-scale hyperprior of arXiv:1809.02736 (mbt2018-mean in CompressAI)."""

from nacre.models.family import Family, Published
from nacre.models.mean_scale.config import MeanScaleConfig
from nacre.models.mean_scale.network import MeanScaleNetwork, synthesis_layers
from nacre.models.parts.synthesis_network import synthesis_integers_reader

PAPER = "arXiv:1809.02736"
NOTE = "beside the published layers: gains, medians, and the scales of tables by channel"
LOW = {"width": 128, "latent": 192, "hyper": 128}  # channels of low rates

FAMILY = Family(
    "mean-scale",
    MeanScaleConfig,
    MeanScaleNetwork,
    synthesis_integers_reader(synthesis_layers),
    (
        Published("mbt2018-mean, low rates", PAPER, LOW, 7.02, 91.1, NOTE),
        Published("mbt2018-mean, high rates", PAPER, {}, 17.55, 205.6, NOTE),
    ),
)

__all__ = ["FAMILY", "MeanScaleConfig", "MeanScaleNetwork"]

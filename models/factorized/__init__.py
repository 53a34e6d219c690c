"""The factorised prior of arXiv:1802.01436 (bmshj2018-factorized in CompressAI)."""

from nacre.models.factorized.config import FactorizedConfig
from nacre.models.factorized.network import FactorizedIntegers, FactorizedNetwork
from nacre.models.family import Family, Published

PAPER = "arXiv:1802.01436"
NOTE = "beside the published layers: gains, medians, and the scales of tables by channel"
LOW = {"width": 128, "latent": 192}  # channels of low rates

FAMILY = Family(
    "factorized",
    FactorizedConfig,
    FactorizedNetwork,
    FactorizedIntegers.from_arrays,
    (
        Published("bmshj2018-factorized, low rates", PAPER, LOW, 2.986, 84.4, NOTE),
        Published("bmshj2018-factorized, high rates", PAPER, {}, 7.011, 187.4, NOTE),
    ),
)

__all__ = ["FAMILY", "FactorizedConfig", "FactorizedNetwork"]

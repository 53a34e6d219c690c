"""The factorised prior of arXiv:1802.01436 (bmshj2018-factorized in CompressAI)."""

from nacre.models.factorized.config import FactorizedConfig
from nacre.models.factorized.network import FactorizedIntegers, FactorizedNetwork
from nacre.models.family import Family

FAMILY = Family("factorized", FactorizedConfig, FactorizedNetwork, FactorizedIntegers.from_arrays)

__all__ = ["FAMILY", "FactorizedConfig", "FactorizedNetwork"]

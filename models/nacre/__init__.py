"""The default family: transforms at stride 8 and 16, hyperprior, four-step context, all qualities in one."""

from nacre.models.family import Family
from nacre.models.nacre.config import NacreConfig
from nacre.models.nacre.network import NacreNetwork
from nacre.models.nacre.priors import NacreIntegers

FAMILY = Family("nacre", NacreConfig, NacreNetwork, NacreIntegers.from_arrays)

__all__ = ["FAMILY", "NacreConfig", "NacreNetwork"]

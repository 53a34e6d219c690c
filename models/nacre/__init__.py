"""The default family: transforms at stride 8 and 16, hyperprior, four-step context, all qualities in one."""

from nacre.models.family import Family
from nacre.models.nacre.config import NacreConfig
from nacre.models.nacre.context import turns
from nacre.models.nacre.network import NacreNetwork
from nacre.models.parts.priors import integers_reader

FAMILY = Family("nacre", NacreConfig, NacreNetwork, integers_reader(turns))

__all__ = ["FAMILY", "NacreConfig", "NacreNetwork"]

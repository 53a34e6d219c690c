"""MLIC++ and MLICv2: ten slices by checkerboard, each with channel, local and global contexts."""

from nacre.models.family import Family
from nacre.models.mlic.config import MlicConfig
from nacre.models.mlic.context import turns
from nacre.models.mlic.network import MlicNetwork
from nacre.models.parts.priors import integers_reader

FAMILY = Family("mlic", MlicConfig, MlicNetwork, integers_reader(turns))

__all__ = ["FAMILY", "MlicConfig", "MlicNetwork"]

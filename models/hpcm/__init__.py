"""HPCM, arXiv:2507.19125: partial convolutions, and a hierarchical progressive context in eleven turns."""

from nacre.models.family import Family
from nacre.models.hpcm.config import LARGE, HpcmConfig
from nacre.models.hpcm.context import turns
from nacre.models.hpcm.network import HpcmNetwork
from nacre.models.parts.priors import integers_reader

FAMILY = Family("hpcm", HpcmConfig, HpcmNetwork, integers_reader(turns))

__all__ = ["FAMILY", "LARGE", "HpcmConfig", "HpcmNetwork"]

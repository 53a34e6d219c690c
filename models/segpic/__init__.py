"""SegPIC: window attention, region-adaptive transforms, a context over slices of channels."""

from nacre.models.family import Family
from nacre.models.parts.priors import integers_reader
from nacre.models.segpic.config import SegpicConfig
from nacre.models.segpic.network import SegpicNetwork, turns

FAMILY = Family("segpic", SegpicConfig, SegpicNetwork, integers_reader(turns))

__all__ = ["FAMILY", "SegpicConfig", "SegpicNetwork"]

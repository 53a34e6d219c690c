"""SegPIC, arXiv:2403.00628: window attention, region-adaptive transforms, a context over slices of channels."""

from nacre.models.family import Family, Published
from nacre.models.parts.priors import integers_reader
from nacre.models.segpic.config import SegpicConfig
from nacre.models.segpic.network import SegpicNetwork, turns

NOTE = "counts are those of the public code; the networks that code prototypes are left out"

FAMILY = Family(
    "segpic",
    SegpicConfig,
    SegpicNetwork,
    integers_reader(turns),
    (Published("SegPIC", "arXiv:2403.00628", {}, parameters=83.48, kmac=720.7, note=NOTE),),
)

__all__ = ["FAMILY", "SegpicConfig", "SegpicNetwork"]

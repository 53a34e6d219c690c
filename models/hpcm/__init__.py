"""HPCM, arXiv:2507.19125: partial convolutions, and a hierarchical progressive context in eleven turns."""

from nacre.models.family import Family, Published
from nacre.models.hpcm.config import LARGE, HpcmConfig
from nacre.models.hpcm.context import turns
from nacre.models.hpcm.network import HpcmNetwork
from nacre.models.parts.priors import integers_reader

PAPER = "arXiv:2507.19125"
NOTE = "the state after the last turn, which nothing uses, is not computed"

FAMILY = Family(
    "hpcm",
    HpcmConfig,
    HpcmNetwork,
    integers_reader(turns),
    (
        Published("HPCM-Base", PAPER, {}, parameters=68.5, kmac=919, note=NOTE),
        Published("HPCM-Large", PAPER, LARGE, parameters=89.7, kmac=1261, note=NOTE),
    ),
)

__all__ = ["FAMILY", "LARGE", "HpcmConfig", "HpcmNetwork"]

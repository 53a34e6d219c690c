"""ELIC, arXiv:2203.10886: residual bottlenecks, and a context of uneven channel groups with checkerboards."""

from nacre.models.elic.config import CHANDELIER, OFFICIAL, ElicConfig
from nacre.models.elic.context import turns
from nacre.models.elic.network import ElicNetwork
from nacre.models.family import Family, Published
from nacre.models.parts.priors import integers_reader

PAPER = "arXiv:2203.10886"
COUNTED = "no counts in the paper: those of Table 1 of HPCM, arXiv:2507.19125"
LIBRARY = "parameters counted in CompressAI 1.2.8, with its factorised network for z"

FAMILY = Family(
    "elic",
    ElicConfig,
    ElicNetwork,
    integers_reader(turns),
    (
        Published("ELIC", PAPER, {}, parameters=36.9, kmac=574, note=COUNTED),
        Published("ELIC, elic2022-official", PAPER, OFFICIAL, parameters=32.07, note=LIBRARY),
        Published("ELIC, elic2022-chandelier", PAPER, CHANDELIER, parameters=33.79, note=LIBRARY),
    ),
)

__all__ = ["CHANDELIER", "FAMILY", "OFFICIAL", "ElicConfig", "ElicNetwork"]

"""MLIC++ and MLICv2: ten slices by checkerboard, each with channel, local and global contexts."""

from nacre.models.family import Family, Published
from nacre.models.mlic.config import V2, MlicConfig
from nacre.models.mlic.context import turns
from nacre.models.mlic.network import MlicNetwork
from nacre.models.parts.priors import integers_reader

RELEASED = (
    "parameters of the code that is released now; 1283 is of its first release, with 116.7 M, whose wider "
    "residual prediction and first block of the synthesis make the difference"
)
SELECTIVE = "published in Table 1 of CMIC; the network of selective coding is not needed here"

FAMILY = Family(
    "mlic",
    MlicConfig,
    MlicNetwork,
    integers_reader(turns),
    (
        Published("MLIC++", "arXiv:2307.15421", {}, parameters=83.5, kmac=1283, note=RELEASED),
        Published("MLICv2", "arXiv:2504.19119", V2, parameters=84.3, note=SELECTIVE),
    ),
)

__all__ = ["FAMILY", "V2", "MlicConfig", "MlicNetwork"]

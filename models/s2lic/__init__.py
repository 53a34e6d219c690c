"""S2LIC: SwinV2 transforms, ten slices as checkerboards, contexts of channels and by deformable attention."""

from nacre.models.family import Family, Published
from nacre.models.parts.priors import integers_reader
from nacre.models.s2lic.config import S2licConfig
from nacre.models.s2lic.context import turns
from nacre.models.s2lic.network import S2licNetwork

NOTE = "no counts are published; of the contexts only a picture is (parts/interaction.py)"

FAMILY = Family(
    "s2lic",
    S2licConfig,
    S2licNetwork,
    integers_reader(turns),
    (Published("S2LIC", "arXiv:2403.14471", {}, note=NOTE),),
)

__all__ = ["FAMILY", "S2licConfig", "S2licNetwork"]

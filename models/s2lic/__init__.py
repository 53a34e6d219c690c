"""S2LIC: SwinV2 transforms, ten slices as checkerboards, contexts of channels and by deformable attention."""

from nacre.models.family import Family
from nacre.models.parts.priors import integers_reader
from nacre.models.s2lic.config import S2licConfig
from nacre.models.s2lic.context import turns
from nacre.models.s2lic.network import S2licNetwork

FAMILY = Family("s2lic", S2licConfig, S2licNetwork, integers_reader(turns))

__all__ = ["FAMILY", "S2licConfig", "S2licNetwork"]

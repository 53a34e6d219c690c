"""Inter frames: an image model with a condition from the frame before."""

from nacre.models.clip.config import ClipConfig
from nacre.models.clip.network import ClipNetwork, integers_of
from nacre.models.family import Family

FAMILY = Family("clip", ClipConfig, ClipNetwork, integers_of)

__all__ = ["FAMILY", "ClipConfig", "ClipNetwork"]

"""Block motion: fields of vectors, their search, their code, and the pictures that they predict."""

from nacre.codec.motion.compensation import compensate
from nacre.codec.motion.field import BLOCK, MotionField, MotionMode
from nacre.codec.motion.search import Effort, search

__all__ = ["BLOCK", "Effort", "MotionField", "MotionMode", "compensate", "search"]

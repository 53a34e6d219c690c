"""Block motion: fields of vectors, their search, their code, and the pictures that they predict."""

from nacre.codec.motion.compensation import compensate
from nacre.codec.motion.field import BLOCK, MotionField, MotionMode
from nacre.codec.motion.search import MotionEffort, search

__all__ = ["BLOCK", "MotionEffort", "MotionField", "MotionMode", "compensate", "search"]

"""The shape of a model of inter frames: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.condition import MAX_OVERLAP

BASE_BYTES = 8  # length of the id of the image model


@dataclass(frozen=True)
class ClipConfig:
    """A model of inter frames, on top of an image model whose transforms it shares."""

    base: str = ""  # hexadecimal, the id of the image model; "" is the default model
    width: int = 192  # of the context
    blocks: int = 1  # of the context
    motion: bool = True  # False: previous latents alone, without motion (STEM)
    overlap: int = 0  # pixels around a block that are predicted with its vector, too
    blends: bool = False  # True: decoded frames are blended with their predictions

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name in ("width", "blocks"):
            if not 1 <= getattr(self, name) <= 1024:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 1 to 1024")
        if not 0 <= self.overlap <= MAX_OVERLAP:
            raise ValueError(f"overlap is {self.overlap}: expected 0 to {MAX_OVERLAP}")
        if self.base and len(bytes.fromhex(self.base)) != BASE_BYTES:
            raise ValueError(f"base is {self.base!r}: expected {2 * BASE_BYTES} hexadecimal digits")

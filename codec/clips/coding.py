"""The seam between files of clips and the coders of their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from nacre.codec.clips.facts import Pixels


class FrameKind(IntEnum):
    """What a frame is coded with."""

    INTRA = 0  # networks, by itself
    INTER = 1  # networks, with the frame before
    PATCHED = 2  # the frame before, with stored cells over it
    STORED = 3  # stored cells, by itself

    @property
    def is_alone(self) -> bool:
        """Whether no frame before is needed."""
        return self in (FrameKind.INTRA, FrameKind.STORED)


@dataclass(frozen=True)
class FramePayload:
    """A coded frame: bytes that its coder alone understands."""

    kind: FrameKind
    quality: int  # 1..100
    checksum: int  # u32, of what it and the frames before it are made of
    data: bytes


class GopCoder(Protocol):
    """Codes groups of pictures of one size: a frame by itself, then frames with the one before.

    Decoding the first payloads of a group gives its first frames.
    """

    @property
    def model_id(self) -> bytes:
        """8 bytes that name its weights."""

    @property
    def quality(self) -> int:
        """Of the whole clip, 1..100."""

    @property
    def bits(self) -> int:
        """Of the samples that it takes and gives: 8 or 16."""

    def encode_gop(
        self, frames: Sequence[Pixels], budget: float | None = None
    ) -> list[FramePayload]:
        """A payload for every frame (H, W, 3), the first by itself; in about so many bits."""

    def decode_gop(self, payloads: Sequence[FramePayload]) -> Iterator[Pixels]:
        """The frames (H, W, 3), one after the other. Raises CorruptStream."""

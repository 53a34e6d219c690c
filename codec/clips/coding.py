"""The interface between files of clips and the coders of their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import torch

from nacre.codec import threads
from nacre.codec.clips.facts import Pixels

WAITING_BYTES = 1 << 28  # of frames that wait to be coded or shown


class FrameKind(IntEnum):
    """How a frame is coded."""

    INTRA = 0  # networks, without a reference
    INTER = 1  # networks, with the previous frame as reference
    PATCHED = 2  # a prediction from the previous frame, with stored cells over it
    STORED = 3  # stored cells alone

    @property
    def is_alone(self) -> bool:
        """Whether the frame needs no previous frame."""
        return self in (FrameKind.INTRA, FrameKind.STORED)


@dataclass(frozen=True)
class FramePayload:
    """A coded frame; the format of its bytes belongs to the coder."""

    kind: FrameKind
    quality: int  # 1..100
    checksum: int  # u32, over the content of this frame and of the earlier frames of its group
    data: bytes


class GopCoder(Protocol):
    """Codes groups of pictures of one size; every frame but the first refers to the previous frame.

    The first payloads of a group decode to its first frames.
    """

    @property
    def model_id(self) -> bytes:
        """8 bytes that identify the weights."""

    @property
    def quality(self) -> int:
        """The quality of the whole clip, 1..100."""

    @property
    def bits(self) -> int:
        """Bits of the samples that the coder takes and returns: 8 or 16."""

    def encode_gop(
        self, frames: Sequence[Pixels], budget: float | None = None
    ) -> list[FramePayload]:
        """A payload for every frame (H, W, 3), the first without a reference; `budget` is in bits."""

    def decode_gop(self, payloads: Sequence[FramePayload]) -> Iterator[Pixels]:
        """The frames (H, W, 3) in order. Raises CorruptStream."""


def suited_at_once(height: int, width: int, bits: int, frames: int) -> int:
    """Groups of so many frames to code side by side: one for each thread of torch, at most four.

    Fewer if their frames take more than WAITING_BYTES: beside those that are being coded, the frames of two
    more groups are held.
    """
    group_bytes = frames * height * width * 3 * (bits // 8)
    count = min(torch.get_num_threads(), threads.MOST_SIDE_BY_SIDE)
    return max(1, min(count, WAITING_BYTES // max(1, group_bytes) - 2))

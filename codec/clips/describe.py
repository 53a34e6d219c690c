"""Describes a file of a clip and finds its damage, without decoding frames or loading a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nacre.codec.chunks import CRC_BYTES, Bytes
from nacre.codec.clips.annotations import ANNOTATION_TYPES
from nacre.codec.clips.container import ClipFile
from nacre.codec.clips.facts import StreamFacts, VideoFacts
from nacre.codec.clips.payloads import FrameRow, Gop, Packets
from nacre.codec.clips.walking import read_table
from nacre.codec.container import Limits
from nacre.entropy.errors import CorruptStream


@dataclass(frozen=True)
class ClipInfo:
    """Description of a file of a clip."""

    facts: VideoFacts
    streams: tuple[StreamFacts, ...]
    quality: int
    bit_depth: int  # bits a sample, as coded
    model_id: str  # hexadecimal
    frames: int
    gops: int
    seconds: float  # from the first frame to the end of the last
    file_bytes: int
    frame_bytes: int  # of coded frames alone
    packet_bytes: int  # of the chunks with packets of other streams
    annotation_bytes: int  # of the chunks with chapters, attached files and metadata of streams
    is_whole: bool  # the file has its end chunk
    rows: tuple[FrameRow, ...]  # of every frame, times as stored

    @property
    def bpp(self) -> float:
        """Bits a pixel, over all bytes of the file except packets of other streams and annotations."""
        pixels = self.facts.width * self.facts.height * max(1, self.frames)
        return 8 * (self.file_bytes - self.packet_bytes - self.annotation_bytes) / pixels


def clip_info(data: Bytes, *, limits: Limits = Limits()) -> ClipInfo:
    """Describe a file from its heads and tables. Raises StreamError or LimitError."""
    file = ClipFile(data, limits)
    rows: list[FrameRow] = []
    packets = annotations = 0
    for chunk in file.chunks():
        if chunk.kind == Packets.TYPE:
            packets += chunk.size
        elif chunk.kind in ANNOTATION_TYPES:
            annotations += chunk.size
        elif chunk.kind == Gop.TYPE:
            try:
                rows += read_table(chunk)[0]
            except CorruptStream:
                continue
    gops = file.gops
    ticks = gops[-1].end - gops[0].pts if gops else 0
    return ClipInfo(
        file.facts, file.streams, file.head.quality, file.head.bit_depth, file.head.model.hex(),
        file.frames, len(gops), float(ticks * file.facts.time_base), file.size,
        sum(row.size for row in rows), packets, annotations, file.is_whole, tuple(rows),
    )  # fmt: skip


def damages(data: Bytes, *, limits: Limits = Limits()) -> Iterator[str]:
    """A line for every chunk that is damaged or cut, and for every gap. Raises StreamError or LimitError."""
    file = ClipFile(data, limits)
    at = file.first
    for chunk in file.chunks():
        if chunk.at > at:
            yield f"bytes {at} to {chunk.at} are damaged"
        at = chunk.at + chunk.size
        if chunk.end + CRC_BYTES > file.size:
            yield f"{chunk.kind.decode()} at byte {chunk.at} is cut"
            continue
        try:
            chunk.checked()
        except CorruptStream:
            yield f"{chunk.kind.decode()} at byte {chunk.at} is damaged"
    if at < file.size:
        yield f"bytes {at} to {file.size} are damaged or cut"

"""Clips for tests: a lossless stand-in for the networks, and small files made with it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from nacre.codec.clips.coding import FrameKind, FramePayload
from nacre.codec.clips.facts import (
    ClipFrame,
    ClipPacket,
    HeadForm,
    Pixels,
    StreamFacts,
    StreamKind,
    VideoFacts,
)
from nacre.codec.clips.writer import VideoWriter
from nacre.entropy.errors import CorruptStream

TICK = Fraction(1, 90000)
AUDIO_TICK = Fraction(1, 48000)


class PlainCoder:
    """Frames without loss: DEFLATE of the differences to the frame before."""

    model_id, quality = b"stand-in", 100

    def __init__(self, height: int, width: int, bits: int = 8) -> None:
        self.shape, self.bits = (height, width, 3), bits

    def encode_gop(
        self, frames: Sequence[Pixels], budget: float | None = None
    ) -> list[FramePayload]:
        payloads, before = [], np.zeros_like(frames[0])
        for i, pixels in enumerate(frames):
            raw = (pixels - before).tobytes()
            kind = FrameKind.INTER if i else FrameKind.INTRA
            payloads.append(FramePayload(kind, 100, zlib.crc32(raw), zlib.compress(raw, 1)))
            before = pixels
        return payloads

    def decode_gop(self, payloads: Sequence[FramePayload]) -> Iterator[Pixels]:
        kind = np.uint8 if self.bits == 8 else np.uint16
        before = np.zeros(self.shape, kind)
        for payload in payloads:
            try:
                raw = zlib.decompress(payload.data)
            except zlib.error as error:
                raise CorruptStream(str(error)) from error
            if zlib.crc32(raw) != payload.checksum or len(raw) != before.nbytes:
                raise CorruptStream("the symbols differ from the written ones")
            before = before + np.frombuffer(raw, kind).reshape(self.shape)
            yield before


def facts_of(height: int = 6, width: int = 8, **others: object) -> VideoFacts:
    return VideoFacts(width, height, TICK, Fraction(30), **others)  # type: ignore[arg-type]


def frames_of(
    count: int, height: int = 6, width: int = 8, seed: int = 0, pts: int = 0
) -> list[ClipFrame]:
    """Faint noise, in which there are no cuts, at uneven times."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        duration = int(rng.integers(1, 9000))
        pixels = rng.integers(110, 146, (height, width, 3)).astype(np.uint8)
        found.append(ClipFrame(pixels, pts, duration, TICK))
        pts += duration + int(rng.integers(0, 2)) * 50
    return found


STREAMS = (
    StreamFacts(StreamKind.AUDIO, "aac", AUDIO_TICK, "deu", 1, HeadForm.MOV, b"the head"),
    StreamFacts(StreamKind.SUBTITLE, "subrip", Fraction(1, 1000), "", 0, HeadForm.MATROSKA, b"h"),
)


def packets_of(frames: Sequence[ClipFrame], seed: int = 0) -> list[ClipPacket]:
    """A packet of sound for every 1024 samples, one of text for every second."""
    rng, found = np.random.default_rng(seed), []
    start, end = frames[0].seconds, frames[-1].seconds
    for i in range(int(start * 48000 / 1024) - 1, int(end * 48000 / 1024)):
        data = rng.bytes(int(rng.integers(1, 40)))
        found.append(ClipPacket(0, i * 1024, i * 1024, 1024, True, i < 0, data))
    for i in range(int(start), int(end) + 1):
        found.append(ClipPacket(1, i * 1000, i * 1000, 500, True, False, b"text %d" % i))
    return sorted(found, key=lambda p: p.dts * STREAMS[p.stream].time_base)


def write(
    frames: Sequence[ClipFrame],
    packets: Sequence[ClipPacket] = (),
    gop: int = 4,
    at_once: int = 1,
    **facts: object,
) -> bytes:
    """A file made with the stand-in; packets stand near the frames of their time."""
    height, width = frames[0].pixels.shape[:2]
    coder = PlainCoder(height, width, 8 * frames[0].pixels.itemsize)
    file, left = io.BytesIO(), list(packets)
    streams = STREAMS if packets else ()
    clip = VideoWriter(
        file,
        facts_of(height, width, **facts),
        streams=streams,
        coder=coder,
        gop=gop,
        at_once=at_once,
    )
    with clip:
        for frame in frames:
            while left and left[0].dts * STREAMS[left[0].stream].time_base <= frame.seconds:
                clip.write_packet(left.pop(0))
            clip.write(frame)
        for packet in left:
            clip.write_packet(packet)
    return file.getvalue()

"""Writes frames to a file of a clip, one group of pictures at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from typing_extensions import Self

from nacre.codec import threads
from nacre.codec.clips.coding import GopCoder
from nacre.codec.clips.container import ClipFileWriter
from nacre.codec.clips.facts import (
    ClipFrame,
    ClipPacket,
    Pixels,
    StreamFacts,
    VideoFacts,
    to_depth,
)
from nacre.codec.clips.payloads import MAX_GOP, TimedPayload
from nacre.codec.clips.rate import GroupBudgets
from nacre.codec.container import Coding, Head
from nacre.entropy.errors import UsageError

GOP = 32  # frames, at most
CUT = 40  # 8-bit levels: the mean change of block means that makes a cut
BLOCK = 16  # pixels a side


@dataclass(frozen=True)
class _Coded:
    """A coded group, and how long it is shown."""

    frames: list[TimedPayload]
    seconds: float


class VideoWriter:
    """Writes a clip.

        with codec.VideoWriter("clip.ncv", facts, quality=60) as clip:
            for frame in frames:
                clip.write(frame)             # a ClipFrame, or pixels (H, W, 3) at the rate of the facts

    Frames must come in the order of display. Up to `gop` frames are held and coded as one group; a scene cut
    begins a new group. An interrupted file plays as far as it was written.
    """

    def __init__(
        self,
        path: str | Path | BinaryIO,
        facts: VideoFacts,
        *,
        streams: Sequence[StreamFacts] = (),
        coder: GopCoder | None = None,
        quality: int = 60,
        effort: int = 0,
        gop: int = GOP,
        bitrate: float | None = None,
        at_once: int = 1,
        **options: Any,
    ) -> None:
        """`coder` codes frames; by default it is the model of the options.

        With `bitrate`, in bits per second of frames, `quality` is only the first trial; rate control then sets
        the quality of each frame. Without it, `at_once` groups are coded side by side, with one thread each
        until the clip is closed; see `coding.suited_at_once`.

        Raises UsageError, WeightsError, LimitError or OSError.
        """
        if bitrate is not None and not 0 < bitrate < math.inf:
            raise UsageError(f"{bitrate:g} bits per second: a positive number wanted")
        if not 1 <= gop <= MAX_GOP:
            raise UsageError(f"a group of {gop} frames: 1..{MAX_GOP} wanted")
        if coder is None:
            from nacre.codec.clips.network_coder import coder_to_encode

            coder = coder_to_encode(facts.height, facts.width, quality, effort, options)
        self.facts, self._streams, self._coder, self._gop = facts, tuple(streams), coder, gop
        head = Head(
            facts.width, facts.height, coder.quality, coder.model_id, bit_depth=coder.bits,
            coding=Coding.CLIP,
        )  # fmt: skip
        self._opened = open(path, "wb") if isinstance(path, (str, Path)) else None  # noqa: SIM115
        file = self._opened or path
        assert not isinstance(file, (str, Path))
        self._file = ClipFileWriter(file, head, facts, streams)
        self._budgets = None if bitrate is None else GroupBudgets(bitrate)
        # A budget depends on the bits of the groups before.
        self._coded = threads.OrderedCalls[_Coded | ClipPacket](1 if bitrate else at_once)
        self._running: dict[int, list[Pixels]] = {}  # frames of groups that are being coded, by id
        self._frames: list[ClipFrame] = []
        self.frames = self.size = 0
        self.frame_bytes, self.seconds = 0, 0.0  # of the frames that are written

    def write(self, frame: ClipFrame | Pixels) -> None:
        """Raises UsageError for a frame of another size or time base, or not later than the previous frame."""
        if not isinstance(frame, ClipFrame):
            frame = self._timed(frame)
        if frame.time_base != self.facts.time_base:
            raise UsageError(f"a frame in ticks of {frame.time_base} s, not {self.facts.time_base}")
        if frame.pixels.shape != (self.facts.height, self.facts.width, 3):
            size = " x ".join(str(side) for side in frame.pixels.shape)
            raise UsageError(f"a frame of {size}, not {self.facts.height} x {self.facts.width} x 3")
        if (self._frames and frame.pts <= self._frames[-1].pts) or frame.duration < 0:
            raise UsageError(f"a frame at tick {frame.pts} is not behind the one before")
        frame = replace(frame, pixels=to_depth(frame.pixels, self._coder.bits))
        if len(self._frames) == self._gop or (
            self._frames and is_cut(self._frames[-1].pixels, frame.pixels)
        ):
            self._put_gop(frame.pts)
        self._frames.append(frame)
        self.frames += 1

    def write_packet(self, packet: ClipPacket) -> None:
        """Write a packet of a carried stream; it should come near the frames of its time."""
        if packet.stream >= len(self._streams):
            raise UsageError(f"a packet of stream {packet.stream} of {len(self._streams)}")
        self._coded.put(packet)
        self._write_coded()

    def close(self) -> None:
        """Code the remaining frames, and write the index."""
        try:
            if self.frames == len(self._frames):  # one group, which all threads should code
                self._coded.close()
                self._coded = threads.OrderedCalls(1)
            self._put_gop()
            self._write_coded(all_of_it=True)
            self.size = self._file.finish()
        finally:
            self._close_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            for pixels in list(self._running.values()):
                pixels.clear()  # the coder stops at the next frame, which is not there
            with suppress(OSError):
                self._close_file()

    def _close_file(self) -> None:
        self._coded.close()
        if self._opened:
            self._opened.close()

    def _timed(self, pixels: Pixels) -> ClipFrame:
        rate = self.facts.rate
        ticks = Fraction(1) / (rate * self.facts.time_base) if rate else Fraction(1)
        pts, end = round(self.frames * ticks), round((self.frames + 1) * ticks)
        return ClipFrame(pixels, pts, end - pts, self.facts.time_base)

    def _put_gop(self, end: int | None = None) -> None:
        """Code the held frames; the next frame is shown at tick `end`."""
        if not self._frames:
            return
        first, last = self._frames[0], self._frames[-1]
        ticks = (last.pts + last.duration if end is None else end) - first.pts
        seconds = max(1, ticks) * float(self.facts.time_base)
        budget = None if self._budgets is None else self._budgets.of(seconds)
        self._coded.call(self._encoded, self._frames, seconds, budget)
        self._frames = []
        self._write_coded()

    def _encoded(self, frames: Sequence[ClipFrame], seconds: float, budget: float | None) -> _Coded:
        pixels = [frame.pixels for frame in frames]
        self._running[id(pixels)] = pixels
        payloads = self._coder.encode_gop(pixels, budget)
        del self._running[id(pixels)]
        assert len(payloads) == len(frames) and payloads[0].kind.is_alone
        timed = zip(payloads, frames, strict=True)
        return _Coded([TimedPayload(coded, f.pts, f.duration) for coded, f in timed], seconds)

    def _write_coded(self, all_of_it: bool = False) -> None:
        """Write the groups and packets that are ready, in order."""
        for part in self._coded.results(all_of_it):
            if isinstance(part, ClipPacket):
                self._file.write_packet(part)
                continue
            size = sum(len(frame.payload.data) for frame in part.frames)
            if self._budgets is not None:
                self._budgets.add(part.seconds, 8 * size)
            self.frame_bytes += size
            self.seconds += part.seconds
            self._file.write_gop(part.frames)


def is_cut(before: Pixels, after: Pixels) -> bool:
    """Whether a new scene begins: block means differ by more than CUT levels on average."""
    means = [_block_means(pixels) for pixels in (before, after)]
    return bool(np.abs(means[0] - means[1]).mean() > CUT)


def _block_means(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(h, w) means of green over blocks, in 8-bit levels; edges without a whole block are left out."""
    height, width = (max(BLOCK, side // BLOCK * BLOCK) for side in pixels.shape[:2])
    green = pixels[:height, :width, 1].astype(np.float32)
    green = np.pad(green, ((0, height - len(green)), (0, width - green.shape[1])), mode="edge")
    blocks = green.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return blocks.mean(axis=(1, 3)) * (255 / np.iinfo(pixels.dtype).max)

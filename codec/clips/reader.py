"""Reads frames of clip files by number, by time, in order, or in batches of tensors."""

from __future__ import annotations

import bisect
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import overload

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self, Unpack

from nacre.codec import threads
from nacre.codec.chunks import Bytes, FileBytes
from nacre.codec.clips.coding import GopCoder, suited_at_once
from nacre.codec.clips.container import ClipFile
from nacre.codec.clips.facts import ClipFrame, ClipPacket, ClipWarning, Pixels
from nacre.codec.clips.payloads import Gop
from nacre.codec.run import RunOptions, limits_of
from nacre.entropy.errors import CorruptStream, UsageError


@dataclass(frozen=True)
class FrameBatch:
    """Frames as tensors."""

    data: Tensor  # (N, 3, H, W) uint8; int32 where samples have 16 bits
    pts_seconds: Tensor  # (N,) float64
    duration_seconds: Tensor  # (N,) float64

    def __len__(self) -> int:
        return len(self.data)

    @classmethod
    def of(cls, frames: Sequence[ClipFrame], height: int, width: int, bits: int) -> FrameBatch:
        kind = np.uint8 if bits == 8 else np.int32
        data = np.empty((len(frames), 3, height, width), kind)
        for i, frame in enumerate(frames):
            data[i] = np.moveaxis(frame.pixels, 2, 0)
        seconds = [[f.seconds, f.duration_seconds] for f in frames]
        times = torch.tensor(seconds, dtype=torch.float64).reshape(-1, 2)
        return cls(torch.from_numpy(data), times[:, 0], times[:, 1])


class VideoReader:
    """A clip, read at any frame.

        with codec.VideoReader("clip.ncv") as clip:
            first, last = clip[0], clip[-1]
            batch = clip[10:20].data          # (10, 3, H, W)
            frame = clip.at(12.5)             # the frame shown at 12.5 s

    Decoding a frame starts at its group of pictures. The reader keeps its position behind the last frame, so
    reading in order decodes every frame once. Memory does not grow with the length of the clip.
    """

    def __init__(
        self,
        path: str | Path | Bytes,
        *,
        coder: GopCoder | None = None,
        strict: bool = False,
        **options: Unpack[RunOptions],
    ) -> None:
        """`coder` decodes frames; by default it is the installed model that the file names.

        Iteration leaves out frames of damaged groups, with a ClipWarning, unless `strict`.
        Raises StreamError, LimitError, WeightsError or OSError.
        """
        self._opened = open(path, "rb") if isinstance(path, (str, Path)) else None  # noqa: SIM115
        try:
            data = FileBytes(self._opened) if self._opened else path
            assert not isinstance(data, (str, Path))
            self.file = ClipFile(data, limits_of(options))
            self.facts, self.streams = self.file.facts, self.file.streams
            if coder is None:
                from nacre.codec.clips.network_coder import coder_to_decode

                coder = coder_to_decode(self.file.head, options)
        except BaseException:
            self.close()
            raise
        self._coder, self._strict = coder, strict
        self._starts = [0]
        for place in self.file.gops:
            self._starts.append(self._starts[-1] + place.frames)
        self._cursor: tuple[int, Iterator[ClipFrame]] | None = None  # number of its next frame

    def close(self) -> None:
        if self._opened:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of frames, damaged groups included."""
        return self._starts[-1]

    @property
    def duration_seconds(self) -> float:
        """From the first frame to the end of the last."""
        gops = self.file.gops
        return float((gops[-1].end - gops[0].pts) * self.facts.time_base) if gops else 0.0

    @property
    def end_seconds(self) -> float:
        """When the last frame ends."""
        gops = self.file.gops
        return float(gops[-1].end * self.facts.time_base) if gops else 0.0

    @overload
    def __getitem__(self, key: int) -> ClipFrame: ...
    @overload
    def __getitem__(self, key: slice) -> FrameBatch: ...
    def __getitem__(self, key: int | slice) -> ClipFrame | FrameBatch:
        """A frame, or a batch. Raises IndexError, and CorruptStream where a group is damaged."""
        if isinstance(key, int):
            number = key + len(self) if key < 0 else key
            if not 0 <= number < len(self):
                raise IndexError(f"frame {key} of a clip of {len(self)}")
            return self._frame(number)
        numbers = range(*key.indices(len(self)))
        found = {number: self._frame(number) for number in sorted(numbers)}
        return self._batch([found[number] for number in numbers])

    def __iter__(self) -> Iterator[ClipFrame]:
        """All frames in order."""
        return self.between()

    def between(self, start: float = -np.inf, end: float = np.inf) -> Iterator[ClipFrame]:
        """Frames shown between `start` and `end` seconds, in order."""
        for event in self.events(start, end):
            if isinstance(event, ClipFrame):
                yield event

    def events(
        self, start: float = -np.inf, end: float = np.inf, at_once: int = 1
    ) -> Iterator[ClipFrame | ClipPacket]:
        """Frames and packets of the other streams that overlap `start` to `end` seconds, in file order.

        A frame or packet lasts from its pts to the end of its duration. `at_once` groups are decoded side by
        side, with one thread each; see `suited_at_once`. Their frames are held in memory.
        """
        base, gops = self.facts.time_base, self.file.gops
        first = sum(place.end * base <= start for place in gops)
        stop = first + sum(place.pts * base < end for place in gops[first:])
        with closing(self._groups(range(first, stop), at_once)) as groups:
            # Packets stand near their time.
            for i in range(max(0, first - 1), min(stop + 1, len(gops)) + 1):
                for packet in self.file.packets(i):
                    ticks = self.streams[packet.stream].time_base
                    if packet.pts * ticks < end and packet.end * ticks > start:
                        yield packet
                if first <= i < stop:
                    yield from self._shown(i, next(groups), start, end)

    def suited_at_once(self) -> int:
        """Groups to decode side by side; see `coding.suited_at_once`."""
        head, most = self.file.head, max((place.frames for place in self.file.gops), default=1)
        count = suited_at_once(head.height, head.width, head.bit_depth, most)
        return max(1, min(count, len(self.file.gops)))

    def _groups(self, numbers: range, at_once: int) -> Generator[Iterator[ClipFrame], None, None]:
        """The frames of some groups; the iterator of a group raises CorruptStream."""
        if at_once < 2:
            yield from (self.group(number) for number in numbers)
            return
        is_over = threading.Event()

        def decoded(group: Gop | CorruptStream) -> Iterator[ClipFrame]:
            if isinstance(group, CorruptStream):
                return _then(group)
            frames: list[ClipFrame] = []
            try:
                for frame in self._decoded(group):
                    frames.append(frame)
                    if is_over.is_set():
                        break
            except CorruptStream as error:
                return _then(error, frames)
            return iter(frames)

        side_by_side = threads.OrderedCalls[Iterator[ClipFrame]](at_once)
        try:
            for number in numbers:
                side_by_side.call(decoded, self._read(number))
                yield from side_by_side.results()
            yield from side_by_side.results(all_of_them=True)
        finally:
            is_over.set()
            side_by_side.close()

    def _read(self, number: int) -> Gop | CorruptStream:
        """A group, or what is wrong with it."""
        try:
            return self.file.gop(number)
        except CorruptStream as error:
            return error

    def _shown(
        self, gop: int, frames: Iterator[ClipFrame], start: float, end: float
    ) -> Iterator[ClipFrame]:
        """Frames of a group shown between `start` and `end` seconds."""
        base = self.facts.time_base
        try:
            for frame in frames:
                if frame.pts * base >= end:
                    return
                if (frame.pts + max(1, frame.duration)) * base > start:
                    yield frame
        except CorruptStream as error:
            if self._strict:
                raise
            seconds = float(self.file.gops[gop].pts * base)
            message = f"the frames from {seconds:.3f} s on are left out: {error}"
            warnings.warn(message, ClipWarning, stacklevel=2)

    def at(self, seconds: float) -> ClipFrame:
        """The frame shown at `seconds`: the last frame that begins no later. Raises IndexError."""
        base = self.facts.time_base
        gop = bisect.bisect_right([float(g.pts * base) for g in self.file.gops], seconds) - 1
        if gop < 0 or seconds >= self.end_seconds:
            raise IndexError(f"{seconds} s is outside of the clip")
        times = self.file.times(gop)
        inside = sum(float(pts * base) <= seconds for pts, _ in times) - 1
        return self[self._starts[gop] + inside]

    def batches(self, size: int) -> Iterator[FrameBatch]:
        """All frames in order, `size` at a time, fewer in the last batch."""
        if size < 1:
            raise UsageError(f"batches of {size} frames")
        waiting: list[ClipFrame] = []
        for frame in self:
            waiting.append(frame)
            if len(waiting) == size:
                yield self._batch(waiting)
                waiting = []
        if waiting:
            yield self._batch(waiting)

    def _batch(self, frames: Sequence[ClipFrame]) -> FrameBatch:
        head = self.file.head
        return FrameBatch.of(frames, head.height, head.width, head.bit_depth)

    def _frame(self, number: int) -> ClipFrame:
        gop = bisect.bisect_right(self._starts, number) - 1
        at, frames = self._cursor or (number + 1, iter(()))
        if not self._starts[gop] < at <= number:
            at, frames = self._starts[gop], self.group(gop)
        self._cursor = None
        for frame in frames:
            at += 1
            if at > number:
                self._cursor = at, frames
                return frame
        raise CorruptStream(f"frame {number} is missing from its group")

    def group(self, index: int) -> Iterator[ClipFrame]:
        """The frames of a group of pictures. Raises CorruptStream."""
        yield from self._decoded(self.file.gop(index))

    def _decoded(self, gop: Gop) -> Iterator[ClipFrame]:
        pixels = self._coder.decode_gop([frame.payload for frame in gop.frames])
        for frame in gop.frames:
            found = next(pixels, None)
            self._check(found, gop)
            assert found is not None
            yield ClipFrame(found, frame.pts, frame.duration, self.facts.time_base)

    def _check(self, found: Pixels | None, gop: Gop) -> None:
        head = self.file.head
        if found is None or found.shape != (head.height, head.width, 3):
            raise CorruptStream(f"a group of {len(gop.frames)} frames decodes to others")

    def parse(self) -> Iterator[str]:
        """Decode every group; yields a line for each damaged group."""
        for i, place in enumerate(self.file.gops):
            try:
                for _ in self.group(i):
                    pass
            except CorruptStream as error:
                yield f"group {i} at byte {place.at}: {error}"


def _then(error: CorruptStream, frames: Sequence[ClipFrame] = ()) -> Iterator[ClipFrame]:
    """The frames, and behind them the error."""
    yield from frames
    raise error

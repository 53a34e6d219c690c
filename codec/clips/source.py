"""Reads clips of other formats: frames with exact times, and packets of the other streams.

FFmpeg reads files, through PyAV: MP4, MOV, MKV, WebM, Y4M, GIF and all others that it knows. sequences.py reads
numbered pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np

from nacre.codec.clips import sequences, ycbcr
from nacre.codec.clips.av_annotations import (
    attachments_of,
    chapters_of,
    is_annotation,
    kept_metadata,
)
from nacre.codec.clips.facts import (
    UPRIGHT,
    ChromaSite,
    ClipFrame,
    ClipLength,
    ClipPacket,
    Range,
    Scan,
    StreamFacts,
    VideoFacts,
    warn,
)
from nacre.codec.clips.numbers import MAX_PAIRS
from nacre.codec.clips.planes import PlaneFormat, pixels_of
from nacre.codec.clips.stream_heads import facts_of_stream
from nacre.codec.container import Limits
from nacre.entropy.errors import ImageError

DEFAULT_RATE = Fraction(25)  # frames a second, of files that name none


class ClipSource(Protocol):
    """Frames in the order of display, with packets near the frames of their time."""

    facts: VideoFacts
    streams: tuple[StreamFacts, ...]

    def events(self) -> Iterator[ClipFrame | ClipPacket]:
        """All frames and packets; can be read once. Raises ImageError."""

    def length(self) -> ClipLength:
        """The length of the clip, from reading it whole without decoding. Raises ImageError."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class SourceOptions:
    """Options for reading a clip."""

    rate: Fraction | None = None  # frames a second of numbered pictures
    salvage: bool = False  # skip damaged parts with a warning
    with_audio: bool = True
    with_subtitles: bool = True
    limits: Limits = Limits()


def open_source(path: str | Path, options: SourceOptions = SourceOptions()) -> ClipSource:
    """A file, a folder of pictures, or a pattern such as frames/%05d.png. Raises ImageError or OSError."""
    names = sequences.names_of(os.fspath(path))
    if names is not None:
        return sequences.PictureSequence(names, options.rate, options.limits)
    return FileSource(path, options)


def frames_of_source(source: ClipSource) -> Iterator[ClipFrame]:
    """The frames alone."""
    return (event for event in source.events() if isinstance(event, ClipFrame))


class FileSource:
    """A file that FFmpeg reads."""

    def __init__(self, path: str | Path, options: SourceOptions = SourceOptions()) -> None:
        with open(path, "rb"):  # raises the system's own error for a missing file
            pass
        self._path, self._options = os.fspath(path), options
        with self._errors_named():
            self._container = av.open(self._path, "r", metadata_errors="replace")
        try:
            self._open_streams()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._container.close()

    def _open_streams(self) -> None:
        videos = [
            stream for stream in self._container.streams.video
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]  # fmt: skip
        if not videos or videos[0].codec_context is None:
            raise ImageError("there are no pictures that can be read in it")
        self._video = videos[0]
        self._options.limits.check_pixels(self._video.width, self._video.height)
        self._video.thread_type = "AUTO"
        self._chapters = chapters_of(self._container)
        self._numbers: dict[int, int] = {}  # index in `streams`, by index in the file
        streams: list[StreamFacts] = []
        for stream in self._container.streams:
            if stream.index == self._video.index or not self._is_wanted(stream):
                continue
            if is_annotation(stream, self._chapters):
                continue
            facts = facts_of_stream(stream, self._container.format.name)
            if facts is None:
                name = stream.codec_context.name if stream.codec_context else "unknown"
                warn(f"stream {stream.index} ({stream.type}, {name}) is left out")
                continue
            self._numbers[stream.index] = len(streams)
            streams.append(facts)
        self.streams = tuple(streams)
        self._events = self._read()
        self._first = next((e for e in self._early() if e is not None), None)

    def _is_wanted(self, stream: Any) -> bool:
        if stream.type == "audio":
            return self._options.with_audio
        return self._options.with_subtitles if stream.type == "subtitle" else True

    def _early(self) -> Iterator[ClipFrame | None]:
        """Read up to the first frame, which sets `facts`."""
        self._waiting: list[ClipFrame | ClipPacket] = []
        for event in self._events:
            self._waiting.append(event)
            yield event if isinstance(event, ClipFrame) else None
        raise ImageError("there are no pictures that can be read in it")

    def events(self) -> Iterator[ClipFrame | ClipPacket]:
        while self._waiting:
            yield self._waiting.pop(0)
        yield from self._events

    def length(self) -> ClipLength:
        carried, times = 0, []
        with self._errors_named(), av.open(self._path, metadata_errors="replace") as container:
            for packet in container.demux():
                if packet.stream_index in self._numbers:
                    carried += packet.size
                elif packet.stream_index == self._video.index and packet.size:
                    times.append((packet.pts, packet.duration or 0))
        step = 1 / float(self.facts.rate or DEFAULT_RATE)
        shown = [(pts, pts + duration) for pts, duration in times if pts is not None]
        if not shown:
            return ClipLength(len(times) * step, len(times), carried)
        ticks = max(end for _, end in shown) - min(pts for pts, _ in shown)
        return ClipLength(max(step, float(ticks * self.facts.time_base)), len(times), carried)

    def _read(self) -> Iterator[ClipFrame | ClipPacket]:
        timing = _Timing(self._video)
        last: dict[int, int] = {}  # end of the packet before, by stream
        held: tuple[Any, int] | None = None  # a frame whose duration depends on the next pts
        for packet in self._demuxed():
            if packet.stream_index != self._video.index:
                if packet.size:
                    yield self._carried(packet, last)
                continue
            for frame in self._decoded(packet):
                pts = timing.pts(frame)
                if held is not None:
                    yield self._frame(*held, pts - held[1])
                else:
                    self._take_facts(frame)
                held = frame, pts
        if held is not None:
            yield self._frame(*held, timing.last_duration(held[0]))

    def _demuxed(self) -> Iterator[Any]:
        streams = [self._video, *(self._container.streams[index] for index in self._numbers)]
        packets = self._container.demux(*streams)
        while True:
            try:
                with self._errors_named():
                    packet = next(packets, None)
            except ImageError as error:
                if not self._options.salvage:
                    raise
                warn(f"the rest is left out: {error}")
                return
            if packet is None:
                return
            yield packet

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            with self._errors_named():
                frames = list(packet.decode())
            for frame in frames:
                if frame.is_corrupt and not self._options.salvage:
                    raise ImageError(f"the picture at {_place(frame)} is damaged")
            return frames
        except ImageError as error:
            if not self._options.salvage:
                raise ImageError(f"{error}; --salvage takes what can be read") from error
            warn(f"left out: {error}")
            return []

    def _frame(self, frame: Any, pts: int, duration: int) -> ClipFrame:
        facts = self.facts
        if (frame.width, frame.height) != (facts.width, facts.height):
            raise ImageError(
                f"the picture at {_place(frame)} is {frame.width}x{frame.height}, the first one "
                f"{facts.width}x{facts.height}: clips of several sizes are not read"
            )
        form = self._form if frame.format.name == self._format else PlaneFormat.of(frame.format)
        return ClipFrame(pixels_of(frame, form, facts), pts, duration, facts.time_base)

    def _carried(self, packet: Any, last: dict[int, int]) -> ClipPacket:
        number = self._numbers[packet.stream_index]
        due = last.get(number, 0)
        dts = (
            packet.dts if packet.dts is not None else packet.pts if packet.pts is not None else due
        )
        pts, duration = packet.pts if packet.pts is not None else dts, packet.duration or 0
        last[number] = dts + duration
        return ClipPacket(
            number, pts, dts, duration, packet.is_keyframe, packet.is_discard, bytes(packet)
        )

    def _take_facts(self, frame: Any) -> None:
        self._format, self._form = frame.format.name, PlaneFormat.of(frame.format)
        form, stream = self._form, self._video
        time_base: Any = stream.time_base
        if form.has_alpha and self._container.format.name != "gif":
            warn("the transparency is left out")
        if not form.is_rgb and not form.name.startswith("gray"):
            _check_matrix(frame.colorspace)
        aspect = stream.sample_aspect_ratio
        known = Range.FULL if form.is_rgb else Range(min(2, int(frame.color_range)))
        self.facts = VideoFacts(
            frame.width,
            frame.height,
            time_base,
            stream.average_rate or stream.guessed_rate or None,
            aspect if aspect else Fraction(1),
            form.name,
            form.range or known,
            int(frame.colorspace),
            int(frame.color_primaries),
            int(frame.color_trc),
            ChromaSite.CENTRE if form.range == Range.FULL else ChromaSite.LEFT,
            Scan.INTERLACED if frame.interlaced_frame else Scan.PROGRESSIVE,
            _display_matrix(frame),
            kept_metadata(self._container.metadata, most=MAX_PAIRS),
            kept_metadata(stream.metadata, of_mp4_stream="mp4" in self._container.format.name),
            self._chapters,
            attachments_of(self._container, self._options.limits.metadata_bytes),
        )

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Raise errors of FFmpeg as ImageError."""
        try:
            yield
        except av.error.FFmpegError as error:
            raise ImageError((error.strerror or str(error)).splitlines()[0]) from error


class _Timing:
    """The pts of frames: from the file, or guessed where the file has none."""

    def __init__(self, stream: Any) -> None:
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        self._tick, self._step = stream.time_base, Fraction(1) / (rate * stream.time_base)
        self._last: int | None = None
        self._exact = Fraction(0)  # the due pts of a frame without a time stamp
        self._duration = 0
        self._is_told = False

    def pts(self, frame: Any) -> int:
        """The pts of a frame in ticks; it rises from frame to frame."""
        found = frame.pts if frame.pts is not None else frame.dts
        if found is None:
            self._tell("pictures without time stamps are shown at the rate of the file")
            found = round(self._exact)
        if self._last is not None:
            if found <= self._last:
                self._tell("time stamps that do not increase are moved")
                found = self._last + 1
            self._duration = found - self._last
        self._last = found
        if abs(found - self._exact) >= 1:
            self._exact = Fraction(found)
        self._exact += self._step
        return int(found)

    def last_duration(self, frame: Any) -> int:
        return int(frame.duration or self._duration or round(self._step) or 1)

    def _tell(self, message: str) -> None:
        if not self._is_told:
            warn(message)
        self._is_told = True


def _check_matrix(matrix: int) -> None:
    if matrix != 2 and matrix not in ycbcr.WEIGHTS:
        raise ImageError(f"colours of matrix {matrix} of ITU-T H.273 are not read")


def _display_matrix(frame: Any) -> tuple[int, ...]:
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return tuple(int(v) for v in np.frombuffer(bytes(data), np.int32, 9))
    return UPRIGHT


def _place(frame: Any) -> str:
    return "an unknown time" if frame.pts is None else f"{float(frame.pts * frame.time_base):.3f} s"

"""Writes frames and packets to clips of other formats: MP4, MOV, MKV, WebM, Y4M, GIF, numbered pictures.

MKV holds FFV1 and Y4M raw planes, both without loss; MP4 and MOV hold H.264 and WebM VP9, at high quality.
Times are kept to the tick by MP4 and MOV, to the millisecond by MKV and WebM, to 1/100 s by GIF; Y4M and
pictures have a constant rate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import av
import numpy as np
from PIL import Image
from typing_extensions import Self

from nacre.codec.clips import sequences
from nacre.codec.clips.av_annotations import AnnotationWriter, muxer_options
from nacre.codec.clips.facts import (
    UPRIGHT,
    ClipFrame,
    ClipPacket,
    Range,
    StreamFacts,
    StreamKind,
    VideoFacts,
    to_8_bits,
    warn,
)
from nacre.codec.clips.planes import PLANAR, STEPS, PlaneFormat, frame_of
from nacre.codec.clips.sequences import PictureSink
from nacre.codec.clips.stream_heads import open_head
from nacre.entropy.errors import NacreError, UsageError

FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
    ".y4m": "yuv4mpegpipe", ".gif": "gif",
}  # fmt: skip
CODECS = {
    "mp4": "libx264", "mov": "libx264", "matroska": "ffv1", "webm": "libvpx-vp9",
    "yuv4mpegpipe": "wrapped_avframe", "gif": "gif",
}  # fmt: skip
CRF = {"libx264": 12, "libx265": 12, "libvpx-vp9": 12, "libaom-av1": 12, "libsvtav1": 12}
PIXEL_LOSSLESS = {"ffv1", "wrapped_avframe", "rawvideo"}
# Encoders that need even sides where chroma is halved.
EVEN_ONLY = {"libx264", "libx264rgb", "libx265", "libsvtav1"}
GIF_TICK = Fraction(1, 100)  # seconds
NO_TEXT = bytes(2)  # an empty text in MP4 ends the text before it
OPTION = {StreamKind.AUDIO: "--no-audio", StreamKind.SUBTITLE: "--no-subtitles"}


@dataclass(frozen=True)
class SinkOptions:
    """How pictures are coded in the file."""

    codec: str | None = None  # an encoder of FFmpeg; None: the one in CODECS
    crf: int | None = None  # constant rate factor: lower is better
    # As FFmpeg names it; None: the format of the source, or the nearest one that the encoder takes.
    pixel_format: str | None = None


class ClipSink(Protocol):
    """Takes the events of a source in their order."""

    def write(self, frame: ClipFrame) -> None: ...
    def write_packet(self, packet: ClipPacket) -> None: ...
    def close(self) -> None: ...


def is_clip_name(path: str | Path) -> bool:
    """Whether `open_sink` knows a format for the path."""
    name = os.fspath(path)
    return sequences.is_pattern(name) or Path(name).suffix.lower() in FORMATS


def open_sink(
    path: str | Path,
    facts: VideoFacts,
    streams: Sequence[StreamFacts] = (),
    options: SinkOptions = SinkOptions(),
    *,
    suffix: str | None = None,
) -> ClipSink:
    """A sink for the format of `suffix`, by default the suffix of the path.

    Raises UsageError for formats that are not known and for content that the format cannot hold.
    """
    if sequences.is_pattern(os.fspath(path)):
        return PictureSink(os.fspath(path), facts, streams)
    suffix = (suffix or Path(path).suffix).lower()
    if suffix not in FORMATS:
        raise UsageError(f"no clip format is known by {suffix or 'no suffix'}: {' '.join(FORMATS)}")
    return FileSink(path, FORMATS[suffix], facts, streams, options)


class FileSink:
    """A file that FFmpeg writes."""

    def __init__(
        self,
        path: str | Path,
        format: str,
        facts: VideoFacts,
        streams: Sequence[StreamFacts],
        options: SinkOptions = SinkOptions(),
    ) -> None:
        self._facts, self._format = facts, format
        self._tick = GIF_TICK if format == "gif" else facts.time_base
        self._times: dict[int, int] = {}  # durations of frames that are in the encoder, by pts
        self._is_constant = format == "yuv4mpegpipe"
        self._count = 0
        self._last_pts: int | None = None
        with _errors_named():
            muxer = {"strict": "-1"} if self._is_constant else {}
            muxer |= muxer_options(facts, format)
            self._container = av.open(os.fspath(path), "w", format=format, options=muxer)
        try:
            with _errors_named():
                self._open(streams, options)
        except BaseException:
            with suppress(Exception):
                self._container.close()
            raise

    def _open(self, streams: Sequence[StreamFacts], options: SinkOptions) -> None:
        facts, name = self._facts, options.codec or CODECS[self._format]
        try:
            encoder = av.Codec(name, "w")
        except ValueError as error:
            raise UsageError(f"codec {name} is not known to this FFmpeg") from error
        self._form = _form(encoder, facts, options)
        self._facts = facts = coded_facts(facts, self._form)
        try:
            self._video: Any = self._container.add_stream(name, rate=facts.rate or Fraction(25))
        except ValueError as error:
            raise UsageError(f"{self._format} files hold no {name}") from error
        context: Any = self._video.codec_context
        context.width, context.height = facts.width, facts.height
        context.pix_fmt = self._stored = _stored(encoder, self._form)
        context.sample_aspect_ratio = facts.aspect
        if self._is_constant:
            self._tick = 1 / (facts.rate or Fraction(25))
        context.time_base = self._video.time_base = self._tick
        context.color_range, context.colorspace = int(facts.range), facts.matrix
        context.color_primaries, context.color_trc = facts.primaries, facts.transfer
        context.options = self._coder_options(name, options)
        self._container.metadata.update(facts.metadata)
        self._video.metadata.update(facts.stream_metadata)
        self._carried, self._streams = streams, [self._added(stream) for stream in streams]
        if facts.display != UPRIGHT:
            self._set_display()
        annotations = AnnotationWriter(self._container, self._format, facts)
        annotations.add()
        self._container.start_encoding()
        annotations.start()

    def _coder_options(self, name: str, options: SinkOptions) -> dict[str, str]:
        found: dict[str, str] = {}
        crf = options.crf if options.crf is not None else CRF.get(name)
        if options.crf is not None and name in PIXEL_LOSSLESS | {"gif"}:
            raise UsageError(f"--crf has no effect on {name}")
        if crf is not None:
            found["crf"] = str(crf)
        if name in ("libvpx-vp9", "libaom-av1"):
            found |= {"b": "0", "cpu-used": "4", "row-mt": "1"}
        site = {1: "left", 2: "center", 3: "topleft"}[self._facts.site]
        return {**found, "chroma_sample_location": site}

    def _set_display(self) -> None:
        if self._format not in ("mp4", "mov", "matroska", "webm"):
            warn(f"{self._format} files are not turned: the rotation is left out")
        elif hasattr(self._video, "set_display_matrix"):
            self._video.set_display_matrix(self._facts.display)
        else:
            warn("this PyAV is too old to write rotations: the rotation is left out")

    def _added(self, facts: StreamFacts) -> Any:
        template = open_head(facts.form, facts.head)
        what = f"{facts.codec} {facts.kind.name.lower()}"
        try:
            stream = self._container.add_stream_from_template(template, opaque=True)
        except ValueError as error:
            option = OPTION[facts.kind]
            message = f"{self._format} files hold no {what}: {option} leaves it out"
            raise UsageError(message) from error
        stream.time_base = facts.time_base
        stream.disposition = facts.disposition
        stream.metadata.update(facts.metadata)
        if facts.language:
            stream.metadata["language"] = facts.language
        return stream

    def write(self, frame: ClipFrame) -> None:
        """Write the next frame, in the order of display."""
        facts = self._facts
        pts, duration = self._moment(frame)
        is_gif = self._format == "gif"
        made = _with_palette(frame) if is_gif else frame_of(frame.pixels, self._form, facts)
        if made.format.name != self._stored:
            made = made.reformat(format=self._stored)
        made.pts, made.time_base = pts, self._tick
        made.colorspace, made.color_range = facts.matrix, int(facts.range)
        made.color_primaries, made.color_trc = facts.primaries, facts.transfer
        self._times[pts] = duration
        with _errors_named():
            self._mux(self._video.encode(made))

    def write_packet(self, packet: ClipPacket) -> None:
        stream, facts = self._streams[packet.stream], self._carried[packet.stream]
        if facts.codec == "mov_text" and packet.data == NO_TEXT and self._format in ("mp4", "mov"):
            return  # FFmpeg writes empty texts itself
        made = av.Packet(packet.data)
        made.stream, made.pts, made.dts = stream, packet.pts, packet.dts
        made.duration, made.is_keyframe = packet.duration, packet.is_key
        made.time_base = facts.time_base
        with _errors_named():
            self._container.mux(made)

    def close(self) -> None:
        with _errors_named():
            try:
                self._mux(self._video.encode(None))
            finally:
                self._container.close()

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
            with suppress(Exception):
                self._container.close()

    def _moment(self, frame: ClipFrame) -> tuple[int, int]:
        """pts and duration in ticks of the file; pts rises from frame to frame."""
        self._count += 1
        if self._is_constant:
            return self._count - 1, 1
        ratio = frame.time_base / self._tick
        pts = round(frame.pts * ratio)
        if self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + 1
        self._last_pts = pts
        return pts, max(1, round((frame.pts + frame.duration) * ratio) - pts)

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            if packet.pts in self._times:
                packet.duration = self._times.pop(packet.pts)
            self._container.mux(packet)


def coded_facts(facts: VideoFacts, form: PlaneFormat) -> VideoFacts:
    """The facts of a clip whose samples are converted to a format."""
    if form.is_rgb:
        return replace(facts, pixel_format=form.name, range=Range.FULL, matrix=0)
    if facts.is_rgb:  # RGB has no matrix: BT.709 of limited range is written
        return replace(facts, pixel_format=form.name, range=Range.LIMITED, matrix=1)
    return replace(facts, pixel_format=form.name)


def _form(encoder: Any, facts: VideoFacts, options: SinkOptions) -> PlaneFormat:
    """The format of the source if the encoder takes it, else the one that loses least. Raises UsageError."""
    if encoder.name == "gif":
        return PlaneFormat("gbrp")
    known = {f.name for f in encoder.video_formats or ()}
    if encoder.name == "wrapped_avframe":
        known = Y4M_FORMATS
    wanted = options.pixel_format or facts.pixel_format
    names = [wanted]
    if options.pixel_format is None:
        names += _next_best(facts)
    halves = EVEN_ONLY if facts.width % 2 or facts.height % 2 else set()
    for name in names:
        is_known = not known or name in known or (name == "gbrp" and "bgr0" in known)
        if not PLANAR.fullmatch(name) or not is_known:
            continue
        form = PlaneFormat(name)
        step_x, step_y = form.steps
        is_odd = facts.width % step_x or facts.height % step_y
        if not (is_odd and encoder.name in halves):
            return form
    raise UsageError(f"{encoder.name} does not code {facts.width}x{facts.height} of {wanted}")


def _stored(encoder: Any, form: PlaneFormat) -> str:
    """The name of a format for the encoder: some take 8-bit RGB only packed, as bgr0."""
    known = {f.name for f in encoder.video_formats or ()}
    if encoder.name == "gif":
        return "pal8"
    return form.name if form.name in known or "bgr0" not in known or not form.is_rgb else "bgr0"


def _next_best(facts: VideoFacts) -> list[str]:
    """Substitutes for the format of a clip, best first."""
    form = PlaneFormat(facts.pixel_format)
    deep = [b for b in (10, 12, 16) if b >= form.bits] if form.bits > 8 else []
    shape = "" if form.name.startswith("gray") else next(
        (k for k, v in STEPS.items() if v == form.steps and not form.is_rgb), "444"
    )  # fmt: skip
    names = []
    for bits in [f"{b}le" for b in deep] + [""]:
        if not shape:
            names.append(f"gray{bits}")
        names += [f"yuv{s}p{bits}" for s in dict.fromkeys([shape or "420", "444", "422", "420"])]
    return names


Y4M_FORMATS = {
    "gray", "yuv411p", "yuv420p", "yuv422p", "yuv444p",
    *(f"{name}{bits}le" for name in ("yuv420p", "yuv422p", "yuv444p", "gray") for bits in (9, 10, 12, 16)),
    "yuv420p14le", "yuv422p14le", "yuv444p14le",
}  # fmt: skip


def _with_palette(frame: ClipFrame) -> Any:
    """The frame with a palette of 256 colours chosen for it."""
    image = Image.fromarray(to_8_bits(frame.pixels)).quantize(256)
    colours: Any = np.zeros((256, 4), np.uint8)
    found = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(found), 1:] = found
    colours[:, 0] = 255
    both: Any = np.asarray(image), colours
    return av.VideoFrame.from_ndarray(both, format="pal8")


@contextmanager
def _errors_named() -> Iterator[None]:
    """Raise errors of FFmpeg as NacreError."""
    try:
        yield
    except av.error.FFmpegError as error:
        reason = (error.strerror or str(error)).splitlines()[0]
        raise NacreError(f"FFmpeg cannot write it: {reason}") from error

"""Clips on the command line: `encode` and `decode` (`info` and `verify`: clip_reports.py)."""

from __future__ import annotations

import math
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import NacreError, UsageError
from nacre.tools import batch, plan, values

if TYPE_CHECKING:
    from nacre.codec.clips.facts import Chapter, ClipFrame, ClipPacket
    from nacre.codec.clips.reader import VideoReader
    from nacre.codec.clips.sink import ClipSink
    from nacre.codec.clips.source import ClipSource
    from nacre.codec.clips.writer import VideoWriter

SUFFIX = ".ncv"
SIZE_AIM = 0.98  # of the requested bytes: a clip may end slightly above its aim
FRAME_BYTES = 24  # of a frame beside its payload: head and entry in the index
NEAR = 0.05  # of the requested bit rate
SOURCES = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".y4m", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".h264",
    ".hevc", ".ivf", ".flv", ".wmv", ".ogv", ".3gp", ".nut",
}  # fmt: skip
ONLY_PICTURES = ("bpp", "psnr", "ssim", "time_budget", "roi")  # options of encode


def add_encode_arguments(parser: ArgumentParser) -> None:
    clips = parser.add_argument_group("clips")
    clips.add_argument(
        "--rate", metavar="25", help="frames a second of numbered pictures (default: 25)"
    )
    clips.add_argument(
        "--gop", type=int, default=32, metavar="N", help="frames in a group, at most (default: 32)"
    )
    clips.add_argument(
        "--bitrate",
        metavar="800k",
        help="bits per second of the frames; --size sets it by the file's bytes",
    )
    _add_stream_arguments(clips)


def add_decode_arguments(parser: ArgumentParser) -> None:
    clips = parser.add_argument_group("clips")
    clips.add_argument("--start", metavar="12.5", help="seconds into the clip")
    clips.add_argument("--duration", metavar="3", help="seconds to decode")
    clips.add_argument(
        "--codec", help="encoder of FFmpeg (default: ffv1 in .mkv, libx264 in .mp4 and .mov)"
    )
    clips.add_argument("--crf", type=int, help="quality of that encoder, lower is better")
    _add_stream_arguments(clips)


def _add_stream_arguments(group: Any) -> None:
    group.add_argument("--no-audio", action="store_true", help="leave out the sound")
    group.add_argument("--no-subtitles", action="store_true", help="leave out the subtitles")


def is_encoding(args: Namespace) -> bool:
    """Whether the inputs of encode are clips, or the output is to be one."""
    from nacre.codec.clips.sequences import is_pattern

    if args.output and args.output.lower().endswith(SUFFIX):
        return True
    return any(is_pattern(name) or _suffix(name) in SOURCES for name in args.inputs)


def is_coded(names: Iterable[str]) -> bool:
    """Whether the named files are coded clips. Raises UsageError for a mixture."""
    found = {_suffix(name) == SUFFIX for name in names}
    if len(found) > 1:
        raise UsageError(f"{SUFFIX} files and others in one command")
    return True in found


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def encode(args: Namespace) -> int:
    from nacre.codec.encoder import DEFAULT_QUALITY, check

    for option in ONLY_PICTURES:
        if getattr(args, option) is not None:
            raise UsageError(f"--{option.replace('_', '-')} is for pictures, not for clips")
    if args.lossless:
        raise UsageError("--lossless is for pictures, not for clips")
    quality = DEFAULT_QUALITY if args.quality is None else args.quality
    effort = 0 if args.effort is None else args.effort
    check(quality, effort)
    aim = RateAim.of(args)
    jobs = _jobs(args, SUFFIX)
    batch.prepare_torch(args)
    from nacre.codec.clips.coding import suited_at_once
    from nacre.codec.clips.source import SourceOptions, open_source
    from nacre.codec.clips.writer import VideoWriter

    options = SourceOptions(
        _rate(args.rate), args.salvage, not args.no_audio, not args.no_subtitles, batch.limits(args)
    )
    model = None if args.model == "nacre" else args.model  # the default model is for pictures

    def work(job: batch.Job) -> str:
        start = time.perf_counter()
        source = open_source(job.source, options)
        try:
            bitrate = aim.bitrate(source)
            at_once = suited_at_once(source.facts.height, source.facts.width, 8, args.gop)
            with batch.partial_output(job.target, args.force) as partial:
                clip = VideoWriter(
                    partial, source.facts, streams=source.streams, quality=quality, effort=effort,
                    gop=args.gop, bitrate=bitrate, at_once=at_once, model=model, device=args.device,
                    precision=args.precision, limits=options.limits,
                )  # fmt: skip
                with clip:
                    _pour(source.events(), clip)
        finally:
            source.close()
        seconds = time.perf_counter() - start
        bpp = 8 * clip.size / (source.facts.width * source.facts.height * max(1, clip.frames))
        done = (
            f"{job.source} -> {job.target}: {clip.frames} frames, {clip.size} bytes, {bpp:.4f} bpp"
        )
        if clip.seconds:
            done += f", {8 * clip.frame_bytes / clip.seconds / 1000:.1f} kbit/s"
        aim.check(clip)
        return f"{done}, {clip.frames / seconds:.1f} frames/s"

    return batch.run_batch(batch.left_to_do(jobs, args), work, args)


@dataclass(frozen=True)
class RateAim:
    """The requested size or bit rate of a clip, from the options of encode."""

    bits_per_second: float | None = None
    size: float | None = None  # bytes of the whole file

    @classmethod
    def of(cls, args: Namespace) -> RateAim:
        """The aim of a command line. Raises UsageError."""
        if args.bitrate is not None and (args.size is not None or args.quality is not None):
            raise UsageError("--bitrate, --size and --quality exclude each other")
        return cls(
            None if args.bitrate is None else values.bits_per_second(args.bitrate, "--bitrate"),
            None if args.size is None else values.size_bytes(args.size, "--size"),
        )

    def bitrate(self, source: ClipSource) -> float | None:
        """Bits per second of the frames. Raises UsageError or ImageError."""
        from nacre.codec.clips.annotations import BESIDE_BYTES, annotation_chunks

        if self.size is None:
            return self.bits_per_second
        length = source.length()
        chunks = annotation_chunks(source.facts, source.streams)
        beside = sum(len(payload) + BESIDE_BYTES for _, payload in chunks)
        others = length.carried_bytes + beside + FRAME_BYTES * length.frames
        left = SIZE_AIM * self.size - others
        if left <= 0:
            raise UsageError(
                f"--size {self.size:g}: the other streams, annotations and the index take {others} bytes"
            )
        return 8 * left / length.seconds

    def check(self, clip: VideoWriter) -> None:
        """Warn if a clip misses the requested size or bit rate."""
        from nacre.codec.clips.facts import warn

        if self.size is not None and clip.size > self.size:
            warn(f"{clip.size} bytes are more than the {self.size:.0f} asked for")
        elif self.bits_per_second is not None and clip.seconds:
            found = 8 * clip.frame_bytes / clip.seconds
            if abs(found / self.bits_per_second - 1) > NEAR:
                asked = self.bits_per_second / 1000
                warn(f"{found / 1000:.1f} kbit/s, where {asked:.1f} kbit/s were asked for")


def decode(args: Namespace) -> int:
    for option in ("region", "preview"):
        if getattr(args, option):
            raise UsageError(f"--{option} is for pictures, not for clips")
    start = values.seconds(args.start, "--start") if args.start else None
    length = values.seconds(args.duration, "--duration") if args.duration else math.inf
    suffix = f".{(args.format or 'mp4').lower().removeprefix('.')}"
    jobs = _jobs(args, suffix)
    batch.prepare_torch(args)
    from nacre.codec.clips.sink import SinkOptions, open_sink

    how = SinkOptions(args.codec, args.crf)

    def work(job: batch.Job) -> str:
        began = time.perf_counter()
        batch.refuse_existing(job.target, args.force)
        own = suffix if args.format else _suffix(job.target)
        with (
            opened_clip(job.source, args, strict=args.strict) as clip,
            _target(job, args) as target,
        ):
            if start is not None and start >= clip.end_seconds:
                raise UsageError(f"--start {start:g}: the clip ends at {clip.end_seconds:.3f} s")
            kept = _Kept(clip, args, None if start is None else Fraction(start))
            first = -math.inf if start is None else start
            end = length if start is None else start + length
            facts = replace(clip.facts, chapters=tuple(kept.chapters(end)))
            sink = open_sink(target, facts, kept.streams, how, suffix=own)
            with _closing(sink):
                events = clip.events(first, end, clip.suited_at_once())
                count = _pour(kept.of(events), sink)
        seconds = time.perf_counter() - began
        return f"{job.source} -> {job.target}: {count} frames, {count / seconds:.1f} frames/s"

    return batch.run_batch(batch.left_to_do(jobs, args), work, args)


class _Kept:
    """Selects the streams to keep, and shifts times of events to the start of the decoded part."""

    def __init__(self, clip: VideoReader, args: Namespace, start: Fraction | None) -> None:
        left_out = {"AUDIO": args.no_audio, "SUBTITLE": args.no_subtitles}
        numbers = [i for i, s in enumerate(clip.streams) if not left_out[s.kind.name]]
        self._numbers = {number: i for i, number in enumerate(numbers)}
        self.streams = tuple(clip.streams[number] for number in numbers)
        self._clip, self._start = clip, start

    def chapters(self, end: float) -> Iterator[Chapter]:
        """The chapters before `end` seconds, cut to the decoded part."""
        for chapter in self._clip.facts.chapters:
            tick = chapter.time_base
            shift = round((self._start or 0) / tick)
            start = chapter.start if self._start is None else max(chapter.start, shift)
            stop = chapter.end if math.isinf(end) else min(chapter.end, round(end / tick))
            if start < stop or (start, stop) == (chapter.start, chapter.end):
                yield replace(chapter, start=start - shift, end=stop - shift)

    def of(self, events: Iterable[ClipFrame | ClipPacket]) -> Iterator[ClipFrame | ClipPacket]:
        """Shifted events. A frame that is shown at the start begins there; earlier packets are left out."""
        from nacre.codec.clips.facts import ClipFrame

        for event in events:
            if isinstance(event, ClipFrame):
                yield event if self._start is None else self._moved(event, self._start)
            elif event.stream in self._numbers:
                moved = replace(event, stream=self._numbers[event.stream])
                if self._start is None:
                    yield moved
                elif (ticks := round(self._start / self._tick(event))) <= event.pts:
                    yield replace(moved, pts=event.pts - ticks, dts=event.dts - ticks)

    def _tick(self, packet: ClipPacket) -> Fraction:
        return self._clip.streams[packet.stream].time_base

    @staticmethod
    def _moved(frame: ClipFrame, start: Fraction) -> ClipFrame:
        pts = frame.pts - round(start / frame.time_base)
        return replace(frame, pts=max(0, pts), duration=frame.duration + min(0, pts))


@contextmanager
def opened_clip(name: str, args: Namespace, *, strict: bool = False) -> Iterator[VideoReader]:
    from nacre.codec.clips.reader import VideoReader

    options: dict[str, Any] = {"model": args.model}
    if hasattr(args, "max_pixels"):
        options["limits"] = batch.limits(args)
    if hasattr(args, "device"):
        options |= {"device": args.device, "precision": args.precision}
    with VideoReader(name, strict=strict, **options) as clip:
        yield clip


@contextmanager
def _target(job: batch.Job, args: Namespace) -> Iterator[str]:
    """Yield the path to write to: a file is written whole or not at all, numbered pictures one by one."""
    from nacre.codec.clips.sequences import is_pattern

    if not is_pattern(job.target):
        with batch.partial_output(job.target, args.force) as partial:
            yield str(partial)
        return
    batch.refuse_existing(job.target % 1, args.force)
    yield job.target


@contextmanager
def _closing(sink: ClipSink) -> Iterator[None]:
    """Finish the file; after an error, close it unfinished."""
    try:
        yield
    except BaseException:
        with suppress(NacreError):
            sink.close()
        raise
    sink.close()


def _pour(events: Iterable[ClipFrame | ClipPacket], target: Any) -> int:
    """Write events to a sink or a writer; returns the number of frames."""
    from nacre.codec.clips.facts import ClipFrame

    count = 0
    for event in events:
        if isinstance(event, ClipFrame):
            target.write(event)
            count += 1
        else:
            target.write_packet(event)
    return count


def _jobs(args: Namespace, suffix: str) -> list[batch.Job]:
    """Inputs with their outputs; a folder is a clip of pictures."""
    inputs, output = args.inputs, args.output
    if batch.STREAM in inputs or output == batch.STREAM:
        raise UsageError("clips are files, not streams")
    is_folder = output and (len(inputs) > 1 or os.path.isdir(output) or output.endswith("/"))
    jobs = []
    for name in inputs:
        stem = Path(name.rstrip("/")).stem if "%" not in name else Path(name).parent.name or "clip"
        beside = os.path.join(os.path.dirname(name.rstrip("/")), stem + suffix)
        target = os.path.join(output, stem + suffix) if is_folder else output or beside
        jobs.append(batch.Job(name, target))
    plan.refuse_clashes(jobs)
    plan.refuse_overwriting(jobs, [*inputs, *([args.model] if args.model else [])])
    return jobs


def _rate(text: str | None) -> Fraction | None:
    from nacre.codec.clips.payloads import MAX_TERM

    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 10000 or rate.denominator > 10**6 or rate.numerator > MAX_TERM:
        raise UsageError(f"--rate {text}: frames a second wanted, as 25 or 30000/1001")
    return rate

"""Metadata of streams, chapters and attached files in containers that FFmpeg reads and writes, through PyAV."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

import av
from PIL import Image

from nacre.codec.clips.annotations import MAX_ATTACHMENTS, MAX_CHAPTERS, AttachedFile
from nacre.codec.clips.facts import Attachment, Chapter, VideoFacts, warn
from nacre.codec.clips.numbers import BOUND, MAX_ALL_PAIRS, MAX_PAIRS
from nacre.codec.clips.payloads import MAX_STREAMS

SUFFIXES = {
    "mjpeg": ".jpg", "png": ".png", "gif": ".gif", "bmp": ".bmp", "tiff": ".tiff", "webp": ".webp",
}  # fmt: skip
COVERS = ("image/jpeg", "image/png")  # that MP4 holds
COVER_CODECS = {"JPEG": "mjpeg", "PNG": "png"}  # by the names of Pillow
TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)
LATEST = {"matroska": 2**32, "webm": 2**32, "mp4": 2**21, "mov": 2**21}  # seconds, of chapters
NAMES = 5  # in a warning
NAME_LENGTH = 60
# Written by FFmpeg itself, told elsewhere, or about the coded form.
OWN_KEYS = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|vendor_id|duration|filename|mimetype"
    r"|(bps|number_of_frames|number_of_bytes|_statistics_.*)(-[a-z]+)?",
    re.IGNORECASE,
)
# Keys that the writer of MP4 and MOV knows; others need a table of keys in the file.
MP4_KEYS = re.compile(
    r"title|author|artist|album_artist|composer|album|date|creation_time|comment|genre|copyright|grouping|lyrics"
    r"|description|synopsis|show|episode_id|network|keywords|track|disc|location|compilation",
    re.IGNORECASE,
)


def kept_metadata(
    found: Mapping[str, str],
    *,
    of_mp4_stream: bool = False,
    most: int = MAX_ALL_PAIRS // (MAX_STREAMS + 1),
) -> dict[str, str]:
    """Metadata without the keys that describe the coded file; those beyond `most` are left out."""
    kept = {key: value for key, value in found.items() if not OWN_KEYS.fullmatch(key)}
    if len(kept) > most:
        warn(f"metadata of {len(kept)} keys: {len(kept) - most} are left out")
        kept = dict(islice(kept.items(), most))
    if kept.get("language") == "und":
        del kept["language"]
    if of_mp4_stream and "name" in kept:  # the title of a stream is read under another name
        kept.setdefault("title", kept.pop("name"))
    return kept


def chapters_of(container: Any) -> tuple[Chapter, ...]:
    found = container.chapters() if hasattr(container, "chapters") else []
    if len(found) > MAX_CHAPTERS:
        warn(f"{len(found) - MAX_CHAPTERS} chapters are left out")
    found = found[:MAX_CHAPTERS]
    most = min(MAX_PAIRS, MAX_ALL_PAIRS // max(1, len(found)))
    return tuple(
        Chapter(
            c["start"], max(c["start"], c["end"]), c["time_base"],
            dict(islice(c["metadata"].items(), most)),
        )
        for c in found
        if max(abs(c["start"]), abs(c["end"])) <= BOUND
    )  # fmt: skip


def is_annotation(stream: Any, chapters: Sequence[Chapter]) -> bool:
    """Whether a stream is an attached file, a cover, or in MP4 the text of chapters or a known time code."""
    if stream.type == "attachment":
        return True
    is_text = bool(chapters) and stream.frames == len(chapters)
    if stream.type == "data":
        codes = [video.metadata.get("timecode") for video in stream.container.streams.video]
        return is_text or stream.metadata.get("timecode", "") in codes
    if is_text and stream.type == "subtitle":  # beside a time code, chapters are not marked as such
        return _begins_with(stream, chapters[0].metadata.get("title", ""))
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _begins_with(stream: Any, title: str) -> bool:
    """Whether the first text of a subtitle stream of MP4 is a title."""
    if not title or stream.codec_context is None or stream.codec_context.name != "mov_text":
        return False
    first = _first_packet(stream)
    return first[2 : 2 + int.from_bytes(first[:2], "big")] == title.encode()


def attachments_of(container: Any, most_bytes: int) -> tuple[Attachment, ...]:
    """Attached files and covers; those beyond `most_bytes` in all are left out."""
    found: list[Attachment] = []
    for file in _attached(container):
        most_bytes -= AttachedFile(file).most_bytes
        if most_bytes < 0 or len(found) == MAX_ATTACHMENTS:
            warn(f"the attached file {_told([file.name])} and those behind it are left out")
            break
        found.append(file)
    return tuple(found)


def _attached(container: Any) -> Iterator[Attachment]:
    for stream in container.streams:
        if stream.type == "attachment":
            yield Attachment(stream.name or "", stream.mimetype or "", stream.data or b"")
        elif stream.disposition & av.stream.Disposition.attached_pic:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            data = _first_packet(stream)
            if codec not in SUFFIXES or not data:
                warn(f"the cover ({codec}) is left out")
                continue
            name = stream.metadata.get("filename", "cover" + SUFFIXES[codec])
            yield Attachment(name, f"image/{'jpeg' if codec == 'mjpeg' else codec}", data)


def _first_packet(stream: Any) -> bytes:
    """Read from the file anew: the container of the stream keeps its place."""
    path = stream.container.name
    with suppress(av.error.FFmpegError), av.open(path, metadata_errors="replace") as container:
        for packet in container.demux(container.streams[stream.index]):
            if packet.size:
                return bytes(packet)
    return b""


def muxer_options(facts: VideoFacts, format: str) -> dict[str, str]:
    """What to tell the muxer of MP4 and MOV, which holds either of some annotations."""
    if format not in ("mp4", "mov"):
        return {}
    options = {}
    others = [key for key in facts.metadata if not MP4_KEYS.fullmatch(key)]
    if format == "mp4" and others and any(map(_cover, facts.attachments)):
        warn(f"{format} files with a cover do not hold the metadata {_told(others)}")
    elif others:  # a table of keys, which in MP4 takes the place of covers
        options["movflags"] = "use_metadata_tags"
    keys = {key.lower() for key in (*facts.metadata, *facts.stream_metadata)}
    if facts.chapters and "timecode" in keys:  # the video refers to one track
        warn(f"{format} files with chapters do not hold the time code")
        options["write_tmcd"] = "0"
    return options


class AnnotationWriter:
    """Adds the annotations of a clip to an output container, before and after encoding starts."""

    def __init__(self, container: Any, format: str, facts: VideoFacts) -> None:
        self._container, self._format, self._facts = container, format, facts
        self._covers: list[tuple[Any, bytes]] = []

    def add(self) -> None:
        """Add chapters and attached files; call it when all other streams are there."""
        self._add_chapters()
        lost = [file.name for file in self._facts.attachments if not self._add_file(file)]
        if lost:
            warn(f"{self._format} files do not hold the attached file {_told(lost)}")

    def start(self) -> None:
        """Write the covers; call it when encoding has started."""
        for stream, data in self._covers:
            packet = av.Packet(data)
            packet.stream, packet.is_keyframe = stream, True
            packet.pts = packet.dts = 0
            self._container.mux(packet)

    def _add_chapters(self) -> None:
        if not self._facts.chapters:
            return
        if self._format not in LATEST or not hasattr(self._container, "set_chapters"):
            warn(f"{self._format} files do not hold chapters here: they are left out")
            return
        chapters = writable_chapters(self._facts.chapters, self._format)
        self._container.set_chapters(
            [
                {
                    "id": k + 1, "start": chapter.start, "end": chapter.end,
                    "time_base": chapter.time_base, "metadata": chapter.metadata,
                }
                for k, chapter in enumerate(chapters)
            ]
        )  # fmt: skip

    def _add_file(self, file: Attachment) -> bool:
        if self._format == "matroska" and hasattr(self._container, "add_attachment"):
            name = file.name or "file"
            kind = file.media_type or "application/octet-stream"
            self._container.add_attachment(name, kind, file.data)
            return True
        cover = _cover(file) if self._format == "mp4" else None
        if cover is None:
            return False
        codec, width, height = cover
        stream = self._container.add_mux_stream(codec, width=width, height=height)
        stream.disposition = av.stream.Disposition.attached_pic
        self._covers.append((stream, file.data))
        return True


def writable_chapters(chapters: Sequence[Chapter], format: str) -> list[Chapter]:
    """The chapters as a format has them: in order, at times it knows; in MP4 all titled, the first at 0."""
    found = []
    for chapter in chapters:
        latest = int(LATEST[format] / chapter.time_base)
        if chapter.end >= 0 and chapter.start <= latest:
            start, end = max(0, chapter.start), min(chapter.end, latest)
            found.append(replace(chapter, start=start, end=end))
    if len(found) < len(chapters):
        warn(f"{format} files do not hold {len(chapters) - len(found)} chapter(s) at their times")
    found.sort(key=lambda c: c.start * c.time_base)
    if format not in ("mp4", "mov") or not found:
        return found
    titled = [replace(c, metadata={"title": "", **c.metadata}) for c in found]
    first = titled[0]
    if first.start:  # else it would begin at 0
        titled.insert(0, Chapter(0, first.start, first.time_base, {"title": ""}))
    return titled


def _cover(file: Attachment) -> tuple[str, int, int] | None:
    """Codec, width and height of a cover that MP4 holds."""
    if file.media_type not in COVERS:
        return None
    with warnings.catch_warnings(), suppress(OSError, ValueError, SyntaxError, *TOO_LARGE):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(file.data), formats=list(COVER_CODECS))
        return COVER_CODECS[str(image.format)], *image.size
    return None


def _told(names: Sequence[str]) -> str:
    """Names from a file, safe to print: the first ones, shortened."""
    shown = ", ".join(repr(name[:NAME_LENGTH]) for name in names[:NAMES])
    more = len(names) - NAMES
    return f"{shown} and {more} more" if more > 0 else shown

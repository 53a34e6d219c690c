"""Metadata of streams, chapters and attached files in containers that FFmpeg reads and writes, through PyAV."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import av
from PIL import Image

from nacre.codec.clips.annotations import MAX_ATTACHMENTS, MAX_CHAPTERS
from nacre.codec.clips.facts import Attachment, Chapter, ClipWarning, VideoFacts

COVER_CODECS = {"mjpeg": "image/jpeg", "png": "image/png"}
COVERS = {media_type: codec for codec, media_type in COVER_CODECS.items()}
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png"}
WITH_CHAPTERS = {"mp4", "mov", "matroska", "webm"}
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


def kept_metadata(found: Mapping[str, str], *, of_mp4_stream: bool = False) -> dict[str, str]:
    """Metadata without the keys that describe the coded file."""
    kept = {key: value for key, value in found.items() if not OWN_KEYS.fullmatch(key)}
    if kept.get("language") == "und":
        del kept["language"]
    if of_mp4_stream and "name" in kept:  # the title of a stream is read under another name
        kept.setdefault("title", kept.pop("name"))
    return kept


def chapters_of(container: Any) -> tuple[Chapter, ...]:
    found = container.chapters() if hasattr(container, "chapters") else []
    if len(found) > MAX_CHAPTERS:
        _warn(f"{len(found) - MAX_CHAPTERS} chapters are left out")
    return tuple(
        Chapter(c["start"], max(c["start"], c["end"]), c["time_base"], dict(c["metadata"]))
        for c in found[:MAX_CHAPTERS]
    )


def is_annotation(stream: Any, chapters: int) -> bool:
    """Whether a stream is an attached file, a cover, or the text of the `chapters` chapters in MP4."""
    if stream.type == "attachment":
        return True
    if stream.type == "data":
        return bool(chapters) and stream.frames == chapters
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def attachments_of(path: str, container: Any, most_bytes: int) -> tuple[Attachment, ...]:
    """Attached files and covers; those beyond `most_bytes` in all are left out."""
    found: list[Attachment] = []
    for file in _attached(path, container):
        most_bytes -= len(file.data)
        if most_bytes < 0 or len(found) == MAX_ATTACHMENTS:
            _warn(f"the attached file {file.name} and those behind it are left out")
            break
        found.append(file)
    return tuple(found)


def _attached(path: str, container: Any) -> Iterator[Attachment]:
    for stream in container.streams:
        if stream.type == "attachment":
            yield Attachment(stream.name or "", stream.mimetype or "", stream.data or b"")
        elif stream.disposition & av.stream.Disposition.attached_pic:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            data = _first_packet(path, stream.index)
            if codec not in COVER_CODECS or not data:
                _warn(f"the cover ({codec}) is left out")
                continue
            kind = COVER_CODECS[codec]
            yield Attachment(stream.metadata.get("filename", "cover" + SUFFIXES[kind]), kind, data)


def _first_packet(path: str, index: int) -> bytes:
    with suppress(av.error.FFmpegError), av.open(path, metadata_errors="replace") as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                return bytes(packet)
    return b""


def needs_key_table(facts: VideoFacts, format: str) -> bool:
    """Whether metadata of the file need a table of keys, which in MP4 takes the place of covers."""
    others = [key for key in facts.metadata if not MP4_KEYS.fullmatch(key)]
    if format not in ("mp4", "mov") or not others:
        return False
    if format == "mp4" and any(file.media_type in COVERS for file in facts.attachments):
        _warn(f"{format} files with a cover do not hold the metadata {', '.join(others)}")
        return False
    return True


class AnnotationWriter:
    """Adds the annotations of a clip to an output container, before and behind its start."""

    def __init__(self, container: Any, format: str, facts: VideoFacts) -> None:
        self._container, self._format, self._facts = container, format, facts
        self._covers: list[tuple[Any, bytes]] = []

    def add(self) -> None:
        """Add chapters and attached files; call it when all other streams are there."""
        self._add_chapters()
        for file in self._facts.attachments:
            if not self._add_file(file):
                _warn(f"{self._format} files do not hold the attached file {file.name}")

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
        if self._format not in WITH_CHAPTERS or not hasattr(self._container, "set_chapters"):
            _warn(f"{self._format} files do not hold chapters here: they are left out")
            return
        self._container.set_chapters(
            [
                {
                    "id": k + 1, "start": chapter.start, "end": chapter.end,
                    "time_base": chapter.time_base, "metadata": chapter.metadata,
                }
                for k, chapter in enumerate(self._facts.chapters)
            ]
        )  # fmt: skip

    def _add_file(self, file: Attachment) -> bool:
        if self._format == "matroska" and hasattr(self._container, "add_attachment"):
            name = file.name or "file"
            kind = file.media_type or "application/octet-stream"
            self._container.add_attachment(name, kind, file.data)
            return True
        if self._format == "mp4" and file.media_type in COVERS:
            try:
                width, height = Image.open(io.BytesIO(file.data)).size
            except (OSError, Image.DecompressionBombError):
                return False
            codec = COVERS[file.media_type]
            stream = self._container.add_mux_stream(codec, width=width, height=height)
            stream.disposition = av.stream.Disposition.attached_pic
            self._covers.append((stream, file.data))
            return True
        return False


def _warn(message: str) -> None:
    warnings.warn(message, ClipWarning, stacklevel=4)

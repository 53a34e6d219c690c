"""Chunks with what a clip has beside its streams: metadata of the streams, chapters and attached files."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from nacre.codec.chunks import Chunk, write_varint
from nacre.codec.clips.facts import Attachment, Chapter, StreamFacts, VideoFacts
from nacre.codec.clips.numbers import BOUND, MAX_ALL_PAIRS, Fields
from nacre.codec.clips.payloads import MAX_STREAMS, ratio, terms
from nacre.entropy.errors import CorruptStream, UsageError

MAX_ATTACHMENTS = 64
MAX_CHAPTERS = 4096
BESIDE_BYTES = 32  # of an attached file, for lengths, type and checksum of its chunk


@dataclass(frozen=True)
class StreamTags:
    """Payload of TAGS: metadata by stream; 0 is the video stream, k + 1 the carried stream k."""

    TYPE: ClassVar = b"TAGS"
    by_stream: dict[int, dict[str, str]]

    def to_bytes(self) -> bytes:
        return b"".join(
            write_varint(stream) + Fields.of_pairs(pairs)
            for stream, pairs in self.by_stream.items()
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamTags:
        fields, found = Fields(data, "TAGS"), dict[int, dict[str, str]]()
        while not fields.is_at_end:
            stream = fields.varint()
            if stream > MAX_STREAMS or stream in found:
                raise CorruptStream(f"TAGS: stream {stream} is out of range or repeated")
            found[stream] = fields.pairs()
        return cls(found)


@dataclass(frozen=True)
class ChapterList:
    """Payload of CHAP: the chapters in their order."""

    TYPE: ClassVar = b"CHAP"
    BASE: ClassVar = struct.Struct("<II")
    chapters: tuple[Chapter, ...]

    def to_bytes(self) -> bytes:
        out = write_varint(len(self.chapters))
        for chapter in self.chapters:
            if not -BOUND <= chapter.start <= chapter.end <= BOUND:
                raise UsageError(f"a chapter from tick {chapter.start} to {chapter.end}")
            out += self.BASE.pack(*terms(chapter.time_base, "time base"))
            out += Fields.of_signed(chapter.start) + Fields.of_signed(chapter.end - chapter.start)
            out += Fields.of_pairs(chapter.metadata)
        return out

    @classmethod
    def from_bytes(cls, data: bytes) -> ChapterList:
        fields, found = Fields(data, "CHAP"), list[Chapter]()
        count = fields.varint()
        if count > MAX_CHAPTERS:
            raise CorruptStream(f"CHAP: {count} chapters, more than {MAX_CHAPTERS}")
        for _ in range(count):
            base = ratio(fields.unpacked(cls.BASE), "time base")
            start = fields.signed()
            end = start + fields.signed()
            if end < start or end > BOUND:
                raise CorruptStream("CHAP: a chapter ends before it starts, or too late")
            found.append(Chapter(start, end, base, fields.pairs()))
        fields.finish()
        return cls(tuple(found))


@dataclass(frozen=True)
class AttachedFile:
    """Payload of ATCH: one attached file."""

    TYPE: ClassVar = b"ATCH"
    file: Attachment

    def to_bytes(self) -> bytes:
        file = self.file
        return Fields.of_text(file.name) + Fields.of_text(file.media_type) + file.data

    @property
    def most_bytes(self) -> int:
        """Bytes of the chunk, at most."""
        names = len(self.file.name.encode()) + len(self.file.media_type.encode())
        return len(self.file.data) + names + BESIDE_BYTES

    @classmethod
    def from_bytes(cls, data: bytes) -> AttachedFile:
        fields = Fields(data, "ATCH")
        return cls(Attachment(fields.text(), fields.text(), fields.rest()))


ANNOTATION_TYPES = (StreamTags.TYPE, ChapterList.TYPE, AttachedFile.TYPE)


def annotation_chunks(
    facts: VideoFacts, streams: Sequence[StreamFacts]
) -> Iterator[tuple[bytes, bytes]]:
    """The type and payload of each chunk that annotates a clip. Raises UsageError."""
    for count, most, what in (
        (len(facts.chapters), MAX_CHAPTERS, "chapters"),
        (len(facts.attachments), MAX_ATTACHMENTS, "attached files"),
    ):
        if count > most:
            raise UsageError(f"{count} {what}: at most {most} are kept")
    tags = {0: facts.stream_metadata, **{k + 1: s.metadata for k, s in enumerate(streams)}}
    tags = {stream: pairs for stream, pairs in tags.items() if pairs}
    if tags:
        _check_pairs(tags.values())
        yield StreamTags.TYPE, StreamTags(tags).to_bytes()
    if facts.chapters:
        _check_pairs(chapter.metadata for chapter in facts.chapters)
        yield ChapterList.TYPE, ChapterList(facts.chapters).to_bytes()
    for file in facts.attachments:
        yield AttachedFile.TYPE, AttachedFile(file).to_bytes()


def _check_pairs(metadata: Iterable[Mapping[str, str]]) -> None:
    count = sum(map(len, metadata))
    if count > MAX_ALL_PAIRS:
        raise UsageError(f"metadata of {count} keys in all: at most {MAX_ALL_PAIRS} are kept")


def annotated(
    facts: VideoFacts, streams: Sequence[StreamFacts], chunks: Iterable[Chunk], most_bytes: int
) -> tuple[VideoFacts, tuple[StreamFacts, ...]]:
    """The facts with what the chunks add.

    Left out are damaged chunks, a second TAGS or CHAP, and files beyond MAX_ATTACHMENTS. TAGS, CHAP and all
    files together may each have `most_bytes`. No picture needs any of them.
    """
    tags: dict[int, dict[str, str]] = {}
    chapters: tuple[Chapter, ...] = ()
    attachments: list[Attachment] = []
    left = dict.fromkeys(ANNOTATION_TYPES, most_bytes)
    for chunk in chunks:
        left[chunk.kind] -= chunk.size
        if left[chunk.kind] < 0:
            continue
        with suppress(CorruptStream):
            data = chunk.checked()
            if chunk.kind != AttachedFile.TYPE:
                left[chunk.kind] = 0  # the first one counts
            if chunk.kind == StreamTags.TYPE:
                tags = StreamTags.from_bytes(data).by_stream
            elif chunk.kind == ChapterList.TYPE:
                chapters = ChapterList.from_bytes(data).chapters
            elif len(attachments) < MAX_ATTACHMENTS:
                attachments.append(AttachedFile.from_bytes(data).file)
    own = replace(
        facts,
        stream_metadata=tags.get(0, {}),
        chapters=chapters,
        attachments=tuple(attachments),
    )
    return own, tuple(replace(s, metadata=tags.get(k + 1, {})) for k, s in enumerate(streams))

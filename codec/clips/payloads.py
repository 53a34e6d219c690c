"""The payloads of the chunks of a clip, little-endian: docs/clips-format.md in code."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import ClassVar

from nacre.codec.chunks import read_varint, write_varint
from nacre.codec.clips.coding import FrameKind, FramePayload
from nacre.codec.clips.facts import (
    ChromaSite,
    ClipPacket,
    HeadForm,
    Range,
    Scan,
    StreamFacts,
    StreamKind,
    VideoFacts,
)
from nacre.codec.clips.numbers import BOUND, Fields
from nacre.codec.container import MAX_QUALITY, Head
from nacre.entropy.errors import CorruptStream, UsageError

MAX_GOP = 4096  # frames
MAX_STREAMS = 64
MAX_TERM = 2**31 - 1  # of a ratio: as in FFmpeg
FORMAT_NAME = re.compile(r"[a-z0-9_]{1,32}")
CODEC_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
LANGUAGE = re.compile(r"[A-Za-z0-9-]{0,16}")


@dataclass(frozen=True)
class ClipHead:
    """Payload of CLIP: the facts of the video stream that HEAD does not have."""

    TYPE: ClassVar = b"CLIP"
    LAYOUT: ClassVar = struct.Struct("<6I6B9i")
    facts: VideoFacts

    def to_bytes(self) -> bytes:
        facts = self.facts
        rate = (0, 0) if facts.rate is None else terms(facts.rate, "rate")
        fixed = self.LAYOUT.pack(
            *terms(facts.time_base, "time base"), *rate, *terms(facts.aspect, "aspect"),
            facts.range, facts.matrix, facts.primaries, facts.transfer, facts.site, facts.scan,
            *facts.display,
        )  # fmt: skip
        return fixed + Fields.of_text(facts.pixel_format) + Fields.of_pairs(facts.metadata)

    @classmethod
    def from_bytes(cls, data: bytes, head: Head) -> ClipHead:
        if len(data) < cls.LAYOUT.size:
            raise CorruptStream(f"CLIP: {cls.LAYOUT.size} bytes needed, {len(data)} left")
        numbers = cls.LAYOUT.unpack_from(data)
        fields = Fields(data, "CLIP", cls.LAYOUT.size)
        range_, matrix, primaries, transfer, site, scan = numbers[6:12]
        name = fields.name(FORMAT_NAME, "pixel format")
        metadata = fields.pairs()
        fields.finish()
        known = [range_ in list(Range), site in list(ChromaSite), scan in list(Scan)]
        if not all(known):
            raise CorruptStream("CLIP: a range, chroma site or scan of another version")
        return cls(
            VideoFacts(
                head.width, head.height, ratio(numbers[0:2], "time base"),
                ratio(numbers[2:4], "rate") if any(numbers[2:4]) else None,
                ratio(numbers[4:6], "aspect"), name, Range(range_), matrix, primaries, transfer,
                ChromaSite(site), Scan(scan), tuple(numbers[12:]), metadata,
            )
        )  # fmt: skip


@dataclass(frozen=True)
class StreamHead:
    """Payload of STRM: a stream that is carried along; the first is stream 0."""

    TYPE: ClassVar = b"STRM"
    LAYOUT: ClassVar = struct.Struct("<BBIII")
    facts: StreamFacts

    def to_bytes(self) -> bytes:
        facts = self.facts
        base = terms(facts.time_base, "time base")
        fixed = self.LAYOUT.pack(facts.kind, facts.form, *base, facts.disposition)
        return fixed + Fields.of_text(facts.codec) + Fields.of_text(facts.language) + facts.head

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamHead:
        if len(data) < cls.LAYOUT.size:
            raise CorruptStream(f"STRM: {cls.LAYOUT.size} bytes needed, {len(data)} left")
        kind, form, above, below, disposition = cls.LAYOUT.unpack_from(data)
        if kind not in list(StreamKind) or form not in list(HeadForm):
            raise CorruptStream(f"STRM: {kind=} {form=} are not of this version")
        fields = Fields(data, "STRM", cls.LAYOUT.size)
        codec = fields.name(CODEC_NAME, "codec")
        language = fields.name(LANGUAGE, "language")
        base = ratio((above, below), "time base")
        facts = StreamFacts(
            StreamKind(kind), codec, base, language, disposition, HeadForm(form), fields.rest()
        )
        return cls(facts)


@dataclass(frozen=True)
class TimedPayload:
    """A coded frame and when it is shown, in ticks."""

    payload: FramePayload
    pts: int
    duration: int


@dataclass(frozen=True)
class Gop:
    """Payload of GOPS: a table with its own checksum, then frames that need none outside the GOP."""

    TYPE: ClassVar = b"GOPS"
    FIRST: ClassVar = struct.Struct("<q")  # ticks, when the first frame is shown
    FRAME: ClassVar = struct.Struct("<BBI")  # kind, quality, checksum
    frames: tuple[TimedPayload, ...]

    def to_bytes(self) -> bytes:
        table = self.FIRST.pack(self.frames[0].pts) + write_varint(len(self.frames))
        due, duration = self.frames[0].pts, 0
        for frame in self.frames:
            coded = frame.payload
            table += self.FRAME.pack(coded.kind, coded.quality, coded.checksum)
            table += Fields.of_signed(frame.pts - due) + Fields.of_signed(frame.duration - duration)
            table += write_varint(len(coded.data))
            due, duration = frame.pts + frame.duration, frame.duration
        sized = write_varint(len(table)) + table
        return (
            sized
            + struct.pack("<I", zlib.crc32(sized))
            + b"".join(f.payload.data for f in self.frames)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Gop:
        rows, at = cls.table(data)
        if at + sum(row.size for row in rows) != len(data):
            raise CorruptStream("GOPS: not as many bytes as its table says")
        return cls(_with_data(rows, data, at))

    @classmethod
    def from_cut(cls, data: bytes) -> Gop | None:
        """The whole frames in the first bytes of a cut payload; None if there is none."""
        try:
            rows, at = cls.table(data)
        except CorruptStream:
            return None
        rows = whole_rows(rows, at, len(data))
        return cls(_with_data(rows, data, at)) if rows else None

    @classmethod
    def table(cls, data: bytes) -> tuple[list[FrameRow], int]:
        """The rows of the table, and the offset of the first frame. Raises CorruptStream."""
        size, start = read_varint(data, 0, "GOPS")
        end = start + size
        if end + 4 > len(data):
            raise CorruptStream("GOPS: the data end inside its table")
        if zlib.crc32(data[:end]) != int.from_bytes(data[end : end + 4], "little"):
            raise CorruptStream("GOPS: the checksum of its table does not match")
        fields = Fields(data[:end], "GOPS", start)
        (due,), duration, rows = fields.unpacked(cls.FIRST), 0, list[FrameRow]()
        count = fields.varint()
        if not 1 <= count <= MAX_GOP:
            raise CorruptStream(f"GOPS: {count} frames, not 1..{MAX_GOP}")
        for i in range(count):
            kind, quality, checksum = fields.unpacked(cls.FRAME)
            pts, duration = due + fields.signed(), duration + fields.signed()
            if kind not in list(FrameKind) or not 1 <= quality <= MAX_QUALITY:
                raise CorruptStream(f"GOPS: frame {i} has {kind=} and {quality=}")
            row = FrameRow(FrameKind(kind), quality, checksum, pts, duration, fields.varint())
            is_later = abs(pts) + duration <= BOUND and (not rows or pts > rows[-1].pts)
            if (not row.kind.is_alone and not rows) or duration < 0 or not is_later:
                raise CorruptStream(f"GOPS: frame {i} is out of place")
            rows.append(row)
            due = pts + duration
        fields.finish()
        return rows, end + 4


@dataclass(frozen=True)
class FrameRow:
    """The row of a frame in the table of its GOP."""

    kind: FrameKind
    quality: int
    checksum: int
    pts: int  # ticks
    duration: int  # ticks
    size: int  # bytes


def whole_rows(rows: Sequence[FrameRow], at: int, end: int) -> list[FrameRow]:
    """The rows of the frames that end by byte `end`; the first begins at byte `at`."""
    sizes = accumulate(row.size for row in rows)
    return [row for row, size in zip(rows, sizes, strict=True) if at + size <= end]


def _with_data(rows: Sequence[FrameRow], data: bytes, at: int) -> tuple[TimedPayload, ...]:
    frames = []
    for row in rows:
        payload = FramePayload(row.kind, row.quality, row.checksum, data[at : at + row.size])
        frames.append(TimedPayload(payload, row.pts, row.duration))
        at += row.size
    return tuple(frames)


@dataclass(frozen=True)
class Packets:
    """Payload of PKTS: packets of other streams, in the order in which they came."""

    TYPE: ClassVar = b"PKTS"
    packets: tuple[ClipPacket, ...]

    def to_bytes(self) -> bytes:
        out, last = bytearray(), dict[int, int]()
        for packet in self.packets:
            out += write_varint(packet.stream) + bytes([packet.is_key | packet.is_hidden << 1])
            out += Fields.of_signed(packet.dts - last.get(packet.stream, 0))
            out += Fields.of_signed(packet.pts - packet.dts) + Fields.of_signed(packet.duration)
            out += write_varint(len(packet.data)) + packet.data
            last[packet.stream] = packet.dts
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes, streams: int) -> Packets:
        fields, last, found = Fields(data, "PKTS"), dict[int, int](), []
        while not fields.is_at_end:
            stream, flags = fields.varint(), fields.byte()
            if stream >= streams or flags > 3:
                raise CorruptStream(f"PKTS: a packet of stream {stream} with flags {flags}")
            dts = last.get(stream, 0) + fields.signed()
            pts, duration = dts + fields.signed(), fields.signed()
            if max(abs(pts), abs(dts)) + abs(duration) > BOUND:
                raise CorruptStream("PKTS: a time is too large")
            payload = fields.sized()
            found.append(
                ClipPacket(stream, pts, dts, duration, bool(flags & 1), bool(flags & 2), payload)
            )
            last[stream] = dts
        return cls(tuple(found))


@dataclass(frozen=True)
class GopPlace:
    """Where a GOP stands, and when it is shown."""

    at: int  # bytes from the start of the file
    pts: int  # ticks
    end: int  # ticks
    frames: int


@dataclass(frozen=True)
class GopIndex:
    """Payload of INDX: all GOPs in order, for seeking; a reader checks what it finds there."""

    TYPE: ClassVar = b"INDX"
    places: tuple[GopPlace, ...]

    def to_bytes(self) -> bytes:
        out, at, end = bytearray(write_varint(len(self.places))), 0, 0
        for place in self.places:
            out += Fields.of_signed(place.at - at) + Fields.of_signed(place.pts - end)
            out += Fields.of_signed(place.end - place.pts) + write_varint(place.frames)
            at, end = place.at, place.end
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> GopIndex:
        fields, places, at, end = Fields(data, "INDX"), list[GopPlace](), 0, 0
        for _ in range(fields.varint()):
            step, pts = fields.signed(), end + fields.signed()
            at, end, frames = at + step, pts + fields.signed(), fields.varint()
            if step <= 0 or end < pts or not 1 <= frames <= MAX_GOP:
                raise CorruptStream("INDX: its GOPs are out of order")
            places.append(GopPlace(at, pts, end, frames))
        fields.finish()
        return cls(tuple(places))


@dataclass(frozen=True)
class ClipEnd:
    """Payload of TEND in a clip: where its index stands."""

    TYPE: ClassVar = b"TEND"
    LAYOUT: ClassVar = struct.Struct("<Q")
    index_at: int  # u64  bytes from the start of the file

    def to_bytes(self) -> bytes:
        return self.LAYOUT.pack(self.index_at)

    @classmethod
    def from_bytes(cls, data: bytes) -> ClipEnd:
        if len(data) != cls.LAYOUT.size:
            raise CorruptStream(f"TEND: {len(data)} bytes, not {cls.LAYOUT.size}")
        return cls(*cls.LAYOUT.unpack(data))


def terms(value: Fraction, what: str) -> tuple[int, int]:
    """The terms of a ratio. Raises UsageError."""
    if not all(0 < term <= MAX_TERM for term in value.as_integer_ratio()):
        raise UsageError(f"the {what} is {value}, not a ratio over 0 of numbers below 2^31")
    return value.as_integer_ratio()


def ratio(pair: Sequence[int], what: str) -> Fraction:
    """Undo `terms`. Raises CorruptStream."""
    is_fitting = all(0 < term <= MAX_TERM for term in pair)
    if not is_fitting or Fraction(*pair).as_integer_ratio() != tuple(pair):
        raise CorruptStream(
            f"the {what} is {pair[0]}/{pair[1]}, not a ratio over 0 in lowest terms below 2^31"
        )
    return Fraction(*pair)

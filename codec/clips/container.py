"""Files of clips, written front to back and read at any GOP, without any network.

A file is the signature and then chunks: HEAD, CLIP, STRM for every carried stream; annotations; GOPS and PKTS
in the order of time; INDX and TEND. A damaged byte costs one GOP; a file without its end plays up to the cut.
docs/clips-format.md has the rules, payloads.py the bytes of the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, takewhile
from typing import BinaryIO

from nacre.codec.chunks import (
    CRC_BYTES,
    SIGNATURE,
    Bytes,
    Chunk,
    FileBytes,
    check_signature,
    chunk_at,
    chunk_to_bytes,
)
from nacre.codec.clips.annotations import ANNOTATION_TYPES, annotated, annotation_chunks
from nacre.codec.clips.facts import ClipPacket, StreamFacts, VideoFacts
from nacre.codec.clips.payloads import (
    MAX_STREAMS,
    ClipEnd,
    ClipHead,
    Gop,
    GopIndex,
    GopPlace,
    Packets,
    StreamHead,
    TimedPayload,
)
from nacre.codec.clips.walking import TYPES, found_chunks, places_by_walking, read_table
from nacre.codec.container import Coding, Head, Limits
from nacre.entropy.errors import CorruptStream, LimitError, TruncatedStream, UnsupportedStream

PACKETS_BYTES = 1 << 20  # of waiting packets, from which they are written before the next GOP
MAX_EARLY_CHUNKS = 1024  # behind the heads, among which annotations are looked for
END_BYTES = len(chunk_to_bytes(ClipEnd.TYPE, bytes(ClipEnd.LAYOUT.size)))


class ClipFileWriter:
    """Writes a file of a clip chunk by chunk; it never seeks back, and keeps only the index in memory."""

    def __init__(
        self, file: BinaryIO, head: Head, facts: VideoFacts, streams: Sequence[StreamFacts] = ()
    ) -> None:
        self._file, self._at, self._waiting = file, 0, 0
        self._places: list[GopPlace] = []
        self._packets: list[ClipPacket] = []
        self._put(SIGNATURE)
        self._put_chunk(Head.TYPE, head.to_bytes())
        self._put_chunk(ClipHead.TYPE, ClipHead(facts).to_bytes())
        for stream in streams:
            self._put_chunk(StreamHead.TYPE, StreamHead(stream).to_bytes())
        for kind, payload in annotation_chunks(facts, streams):
            self._put_chunk(kind, payload)

    def write_packet(self, packet: ClipPacket) -> None:
        """Write a packet, before the next GOP."""
        self._packets.append(packet)
        self._waiting += len(packet.data)
        if self._waiting >= PACKETS_BYTES:
            self._put_packets()

    def write_gop(self, frames: Sequence[TimedPayload]) -> None:
        self._put_packets()
        last = frames[-1]
        self._places.append(
            GopPlace(self._at, frames[0].pts, last.pts + last.duration, len(frames))
        )
        self._put_chunk(Gop.TYPE, Gop(tuple(frames)).to_bytes())

    def finish(self) -> int:
        """Write the index and the end; returns the size of the file in bytes."""
        self._put_packets()
        end = ClipEnd(self._at)
        self._put_chunk(GopIndex.TYPE, GopIndex(tuple(self._places)).to_bytes())
        self._put_chunk(ClipEnd.TYPE, end.to_bytes())
        return self._at

    def _put_packets(self) -> None:
        if self._packets:
            self._put_chunk(Packets.TYPE, Packets(tuple(self._packets)).to_bytes())
            self._packets, self._waiting = [], 0

    def _put_chunk(self, kind: bytes, payload: bytes) -> None:
        self._put(chunk_to_bytes(kind, payload))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._at += len(data)


class ClipFile:
    """A file of a clip. The heads and the index are read at once, GOPs and packets on request.

    A GOP that begins before the previous one ends is moved to that end; all later GOPs and packets are moved by
    at least as much. This lets one file hold the GOPs of several files.
    """

    def __init__(self, data: Bytes, limits: Limits = Limits()) -> None:
        """Raises StreamError or LimitError."""
        self.view = view = data if isinstance(data, FileBytes) else memoryview(data)
        self._limits = limits
        check_signature(bytes(view[: len(SIGNATURE)]))
        chunk = chunk_at(view, len(SIGNATURE))
        if chunk.kind != Head.TYPE:
            raise CorruptStream(f"the first chunk is {chunk.kind.decode()}, not HEAD")
        self.head = head = Head.from_bytes(self._payload(chunk))
        if head.coding != Coding.CLIP:
            raise UnsupportedStream("the file holds a picture, not a clip")
        limits.check_pixels(head.width, head.height)
        chunk = chunk_at(view, chunk.at + chunk.size)
        if chunk.kind != ClipHead.TYPE:
            raise CorruptStream(f"the second chunk is {chunk.kind.decode()}, not CLIP")
        facts = ClipHead.from_bytes(self._payload(chunk), head).facts
        streams, self.first = self._read_streams(chunk.at + chunk.size)
        most = limits.metadata_bytes
        self.facts, self.streams = annotated(facts, streams, self._annotations(), most)
        self.is_whole = False  # the file has its end chunk
        self._places = self._indexed()
        if self._places is None:
            self._places = tuple(places_by_walking(view, self.first))
        self.gops = _in_order(self._places)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.view)

    def chunks(self) -> Iterator[Chunk]:
        """The chunks behind the heads; the last one may be cut."""
        return found_chunks(self.view, self.first, self.size)

    @property
    def frames(self) -> int:
        return sum(place.frames for place in self.gops)

    def gop(self, index: int) -> Gop:
        """The frames of a GOP, at their moved times. Raises CorruptStream.

        The last GOP of a cut file has only its whole frames.
        """
        place, shift = self._places_at(index)
        chunk = chunk_at(self.view, place.at, may_be_cut=True)
        if chunk.kind != Gop.TYPE:
            raise CorruptStream(f"GOP {index} is not where the index says")
        self._check_size(chunk)
        if chunk.end + CRC_BYTES > len(self.view):
            gop = Gop.from_cut(bytes(self.view[chunk.start :]))
            if gop is None:
                raise CorruptStream(f"GOP {index} is damaged or cut")
        else:
            gop = Gop.from_bytes(chunk.checked())
        if gop.frames[0].pts != place.pts or len(gop.frames) != place.frames:
            raise CorruptStream(f"GOP {index} is not as the index says")
        return Gop(tuple(replace(frame, pts=frame.pts + shift) for frame in gop.frames))

    def times(self, index: int) -> list[tuple[int, int]]:
        """(pts, duration) of the frames of a GOP; reads only its table. Raises CorruptStream."""
        place, shift = self._places_at(index)
        chunk = chunk_at(self.view, place.at, may_be_cut=True)
        rows, _ = read_table(chunk)
        return [(row.pts + shift, row.duration) for row in rows[: place.frames]]

    def packets(self, index: int) -> Iterator[ClipPacket]:
        """The packets just before a GOP; with an index of len(gops), the packets behind the last GOP.

        Packets in damaged chunks are left out.
        """
        assert self._places is not None
        places = self._places
        shift = self._shift(min(index, len(places) - 1)) if places else 0
        start = self.first
        if index:
            start = places[index - 1].at
        stop = places[index].at if index < len(places) else len(self.view)
        for chunk in found_chunks(self.view, start, stop):
            if chunk.kind == Packets.TYPE:
                self._check_size(chunk)
                yield from self._moved(chunk, shift)

    def _moved(self, chunk: Chunk, shift: int) -> Iterator[ClipPacket]:
        try:
            found = Packets.from_bytes(chunk.checked(), len(self.streams)).packets
        except CorruptStream:
            return
        for packet in found:
            ticks = round(shift * self.facts.time_base / self.streams[packet.stream].time_base)
            yield replace(packet, pts=packet.pts + ticks, dts=packet.dts + ticks)

    def _places_at(self, index: int) -> tuple[GopPlace, int]:
        """The place of a GOP at its stored time, and the ticks by which it is moved."""
        assert self._places is not None
        return self._places[index], self._shift(index)

    def _shift(self, index: int) -> int:
        assert self._places is not None
        return self.gops[index].pts - self._places[index].pts

    def _read_streams(self, at: int) -> tuple[tuple[StreamFacts, ...], int]:
        """The streams, and the offset in bytes of the chunks behind their heads."""
        streams: list[StreamFacts] = []
        for chunk in self._readable(at):
            if chunk.kind != StreamHead.TYPE:
                break
            streams.append(StreamHead.from_bytes(self._payload(chunk)).facts)
            at += chunk.size
            if len(streams) > MAX_STREAMS:
                raise LimitError(f"more than {MAX_STREAMS} streams")
        return tuple(streams), at

    def _annotations(self) -> Iterator[Chunk]:
        """The chunks of annotations, before groups and packets."""
        early = islice(self._readable(self.first), MAX_EARLY_CHUNKS)
        behind_heads = takewhile(lambda chunk: chunk.kind not in TYPES, early)
        return (chunk for chunk in behind_heads if chunk.kind in ANNOTATION_TYPES)

    def _readable(self, at: int) -> Iterator[Chunk]:
        """The chunks from byte `at` to the first that is damaged or cut; there is no search behind it."""
        while at < len(self.view):
            try:
                chunk = chunk_at(self.view, at)
            except (CorruptStream, TruncatedStream):
                return
            yield chunk
            at += chunk.size

    def _payload(self, chunk: Chunk) -> bytes:
        if chunk.size > self._limits.metadata_bytes:
            raise LimitError(
                f"{chunk.kind.decode()}: over {self._limits.metadata_bytes} bytes of metadata"
            )
        return chunk.checked()

    def _check_size(self, chunk: Chunk) -> None:
        if min(chunk.size, len(self.view)) > self._limits.memory_bytes:
            raise LimitError(f"a {chunk.kind.decode()} chunk of {chunk.size} bytes")

    def _indexed(self) -> tuple[GopPlace, ...] | None:
        """The places in the index; None unless the end chunk leads to an index that fits the file."""
        at = len(self.view) - END_BYTES
        try:
            if at < self.first or bytes(self.view[at : at + 4]) != ClipEnd.TYPE:
                return None
            index_at = ClipEnd.from_bytes(chunk_at(self.view, at).checked()).index_at
            self.is_whole = True
            if not self.first <= index_at < at:
                return None
            chunk = chunk_at(self.view, index_at)
            if chunk.kind != GopIndex.TYPE or chunk.at + chunk.size != at:
                return None
            places = GopIndex.from_bytes(self._payload(chunk)).places
        except (CorruptStream, TruncatedStream):
            return None
        is_inside = not places or (self.first <= places[0].at and places[-1].at < index_at)
        return places if is_inside else None


def _in_order(places: Sequence[GopPlace]) -> tuple[GopPlace, ...]:
    """The places at their moved times: no GOP begins before the previous one ends."""
    found: list[GopPlace] = []
    shift = 0
    for place in places:
        shift = max(shift, found[-1].end - place.pts) if found else 0
        found.append(replace(place, pts=place.pts + shift, end=place.end + shift))
    return tuple(found)

"""Files of clips: what was written is read; damage costs a group; cut files play to the cut."""

from __future__ import annotations

import dataclasses
import io
import random
import re
import subprocess
import sys
import time
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from nacre import codec
from nacre.codec.chunks import read_chunks
from nacre.codec.clips.container import ClipFile
from nacre.codec.clips.facts import ChromaSite, ClipFrame, ClipPacket, ClipWarning, Range, Scan
from nacre.codec.clips.payloads import ClipHead, Gop, GopIndex, GopPlace, Packets
from nacre.codec.clips.reader import VideoReader
from nacre.codec.clips.writer import VideoWriter
from nacre.codec.container import Head, Limits
from nacre.entropy.errors import (
    CorruptStream,
    LimitError,
    NacreError,
    StreamError,
    TruncatedStream,
    UnsupportedStream,
)
from nacre.tools.fuzz_clips import mutated
from tests.codec.clips.clip_files import (
    STREAMS,
    PlainCoder,
    facts_of,
    frames_of,
    packets_of,
    write,
)

FRAMES = frames_of(11, 4, 5)
PACKETS = packets_of(FRAMES)
DATA = write(FRAMES, PACKETS)
LIMITS = Limits(pixels=1 << 20, memory_bytes=64 << 20, metadata_bytes=1 << 20)


def opened(data: bytes, height: int = 4, width: int = 5, **options: object) -> VideoReader:
    return VideoReader(data, coder=PlainCoder(height, width), limits=LIMITS, **options)


def told(frames) -> list[tuple[int, int, bytes]]:
    return [(f.pts, f.duration, f.pixels.tobytes()) for f in frames]


def chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    return [(c.kind, c.at, c.size) for c in read_chunks(data)]


def test_what_was_written_is_read():
    clip = opened(DATA)
    events = list(clip.events())
    assert told(e for e in events if isinstance(e, ClipFrame)) == told(FRAMES)
    assert [e for e in events if isinstance(e, ClipPacket)] == PACKETS
    assert clip.streams == STREAMS and clip.file.is_whole and len(clip) == 11


def test_groups_coded_side_by_side_make_the_same_file():
    before = torch.get_num_threads()
    assert write(FRAMES, PACKETS, at_once=3) == DATA
    assert torch.get_num_threads() == before


class ThreadsCoder(PlainCoder):
    """Notes the threads of torch at every group."""

    def encode_gop(self, frames, budget=None):
        self.threads = torch.get_num_threads()
        return super().encode_gop(frames, budget)


@pytest.mark.parametrize(("count", "threads"), [(4, 2), (5, 1)])
def test_one_group_alone_has_all_threads(count, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        coder = ThreadsCoder(6, 8)
        with VideoWriter(io.BytesIO(), facts_of(), coder=coder, gop=4, at_once=2) as clip:
            for frame in frames_of(count):
                clip.write(frame)
        assert coder.threads == threads and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class SlowCoder(PlainCoder):
    """Takes a tenth of a second for a frame."""

    def encode_gop(self, frames, budget=None):
        for k in range(len(frames)):
            time.sleep(0.1)
            frames[k]
        return super().encode_gop(frames, budget)


def test_after_an_error_no_group_is_coded_to_its_end():
    began = time.monotonic()
    writer = VideoWriter(io.BytesIO(), facts_of(), coder=SlowCoder(6, 8), gop=40, at_once=2)
    for frame in frames_of(90):
        writer.write(frame)
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert time.monotonic() - began < 2  # of the 8 seconds that two groups take


def test_packets_stand_near_their_time():
    """No packet is further from the frames around it than two groups last."""
    clip, last = opened(DATA), 0.0
    longest = max(float((g.end - g.pts) * clip.facts.time_base) for g in clip.file.gops)
    for event in clip.events():
        if isinstance(event, ClipFrame):
            last = event.seconds
        else:
            assert abs(float(event.pts * STREAMS[event.stream].time_base) - last) <= 2 * longest


FACTS = facts_of(
    aspect=Fraction(4, 3), pixel_format="yuv422p10le", range=Range.FULL, matrix=9, primaries=9,
    transfer=16, site=ChromaSite.TOP_LEFT, scan=Scan.INTERLACED,
    display=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), metadata={"title": "größer", "": "x"},
)  # fmt: skip


@pytest.mark.parametrize("facts", [FACTS, facts_of(), dataclasses.replace(FACTS, rate=None)])
def test_facts_come_back(facts):
    head = Head(8, 6, 50, b"stand-in", coding=1)
    assert ClipHead.from_bytes(ClipHead(facts).to_bytes(), head).facts == facts


PAGE = (Path(__file__).parents[3] / "docs" / "clips-format.md").read_text("utf-8")


def test_pinned_bytes():
    """The format: a group of two frames, an index, packets."""
    gop = opened(DATA).file.gop(0)
    small = Gop(
        tuple(
            dataclasses.replace(
                frame, pts=100 + 10 * i, duration=10,
                payload=dataclasses.replace(frame.payload, checksum=7, data=b"ab"[: i + 1]),
            )
            for i, frame in enumerate(gop.frames[:2])
        )
    )  # fmt: skip
    assert small.to_bytes().hex() == (
        "1b640000000000000002" "006407000000" "001401" "016407000000" "000002" "9e686bfb" "616162"
    )  # fmt: skip
    assert small.to_bytes().hex() in re.sub(r"\s", "", PAGE)
    assert GopIndex((GopPlace(300, -5, 20, 3),)).to_bytes().hex() == "01d804093203"
    packet = ClipPacket(1, 5, 3, 2, True, False, b"xy")
    assert Packets((packet,)).to_bytes().hex() == "0101060404027879"


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_costs_one_group(seed):
    rng = random.Random(seed)
    places = [(at, size) for kind, at, size in chunks(DATA) if kind == Gop.TYPE]
    group = rng.randrange(len(places))
    at, size = places[group]
    data = bytearray(DATA)
    data[at + rng.randrange(size)] ^= 1 << rng.randrange(8)
    for file in (bytes(data), bytes(data[: chunks(DATA)[-1][1]])):  # with the index, and without
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClipWarning)
            found = list(opened(file).events())
        left = told(FRAMES[: 4 * group] + FRAMES[4 * group + 4 :])
        assert told(e for e in found if isinstance(e, ClipFrame)) == left
        assert [e for e in found if isinstance(e, ClipPacket)] == PACKETS


def test_damage_is_told():
    data = bytearray(DATA)
    at = next(at for kind, at, _ in chunks(DATA) if kind == Gop.TYPE)
    data[at + 100] ^= 1
    with pytest.warns(ClipWarning, match="left out"):
        list(opened(bytes(data)))
    with pytest.raises(CorruptStream):
        list(opened(bytes(data), strict=True))
    with pytest.raises(CorruptStream):
        opened(bytes(data))[0]
    assert opened(bytes(data))[4].pts == FRAMES[4].pts


def test_a_cut_file_plays_to_the_cut():
    ends = []  # of every frame, bytes from the start of the file
    for chunk in read_chunks(DATA):
        if chunk.kind == Gop.TYPE:
            gop = Gop.from_bytes(chunk.checked())
            end = chunk.end - sum(len(f.payload.data) for f in gop.frames)
            for frame in gop.frames:
                end += len(frame.payload.data)
                ends.append(end)
    first = next(at for kind, at, _ in chunks(DATA) if kind in (Gop.TYPE, Packets.TYPE))
    for cut in range(len(DATA)):
        whole = sum(end <= cut for end in ends)
        if cut < first:
            try:
                assert len(opened(DATA[:cut])) == 0
            except TruncatedStream:
                continue
        clip = opened(DATA[:cut])
        assert len(clip) == whole
        assert not clip.file.is_whole
        assert told(clip) == told(FRAMES[:whole])


def test_groups_of_several_files_make_one():
    """The second file begins before the first ends: it is moved behind it, its packets too."""
    second = frames_of(6, 4, 5, seed=3, pts=500)
    other = write(second, packets_of(second, seed=3))
    behind = other[chunks(other)[4][1] :]  # without HEAD, CLIP and two STRM
    data = DATA[: chunks(DATA)[-2][1]] + behind
    clip = opened(data)
    shift = FRAMES[-1].pts + FRAMES[-1].duration - 500
    moved = [dataclasses.replace(f, pts=f.pts + shift) for f in second]
    assert told(clip) == told([*FRAMES, *moved])
    times = [e.pts for e in clip.events() if isinstance(e, ClipPacket) and e.stream == 0]
    ticks = round(shift * clip.facts.time_base * 48000)
    before = [p.pts for p in PACKETS if p.stream == 0]
    assert times == before + [p.pts + ticks for p in packets_of(second, seed=3) if p.stream == 0]


def test_mutated_files_are_refused_or_play():
    rng, read, refused = random.Random(5), 0, 0
    seeds = [DATA, write(FRAMES[:2], gop=1), write(frames_of(1, 4, 5))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipWarning)
        for _ in range(1000):
            data = mutated(rng.choice(seeds), rng)
            try:
                clip = opened(data)
                for frame in clip:
                    assert frame.pixels.shape == (4, 5, 3)
                len(clip), clip.duration_seconds, list(clip.events(0.1, 0.3))
                read += 1
            except NacreError as error:
                refused += "\n" not in str(error)
    assert read > 100 and refused > 100 and read + refused == 1000


def test_limits():
    with pytest.raises(LimitError, match="pixels"):
        ClipFile(DATA, Limits(pixels=19))
    with pytest.raises(LimitError, match="metadata"):
        ClipFile(DATA, Limits(metadata_bytes=20))
    with pytest.raises(LimitError, match="chunk"):
        VideoReader(DATA, coder=PlainCoder(4, 5), limits=Limits(memory_bytes=200))[0]


def test_pictures_and_clips_are_not_mistaken_for_each_other():
    with pytest.raises(UnsupportedStream, match="a clip"):
        codec.decode(DATA)
    with pytest.raises(UnsupportedStream, match="a picture"):
        ClipFile(codec.encode(np.zeros((4, 4, 3), np.uint8), lossless=True))
    with pytest.raises(StreamError):
        ClipFile(b"RIFF")


SCRIPT = """
import resource, sys
import numpy as np
from nacre.codec.clips.reader import VideoReader
from nacre.codec.clips.writer import VideoWriter
from nacre.codec.clips.writer import VideoWriter
from tests.codec.clips.clip_files import PlainCoder, facts_of

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

facts, frame = facts_of(135, 240), np.zeros((135, 240, 3), np.uint8)
peaks = []
with VideoWriter(sys.argv[1], facts, coder=PlainCoder(135, 240), gop=8) as clip:
    for i in range(1000):
        clip.write(frame + np.uint8(i % 256))
        if i in (100, 999): peaks.append(peak())
with VideoReader(sys.argv[1], coder=PlainCoder(135, 240)) as clip:
    for i, _ in enumerate(clip):
        if i in (100, 999): peaks.append(peak())
print(peaks[1] - peaks[0], peaks[3] - peaks[2])
"""


def test_memory_is_flat_over_a_thousand_frames(tmp_path):
    """Of 95 KiB each: 900 of them would be 83 MiB."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "long.ncv")], capture_output=True, text=True
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert all(int(kib) < 8 << 10 for kib in run.stdout.split())

"""Frames by number, by time, in batches, and over a stretch of time; what a writer refuses."""

from __future__ import annotations

import bisect
import io
import random
from fractions import Fraction

import numpy as np
import pytest
import torch

from nacre.codec.clips.facts import ClipFrame, ClipPacket, ClipWarning, to_depth
from nacre.codec.clips.reader import VideoReader
from nacre.codec.clips.writer import VideoWriter, is_cut
from nacre.entropy.errors import CorruptStream, UsageError
from tests.codec.clips.clip_files import (
    STREAMS,
    TICK,
    PlainCoder,
    facts_of,
    frames_of,
    packets_of,
    write,
)

FRAMES = frames_of(23)
PACKETS = packets_of(FRAMES)
DATA = write(FRAMES, PACKETS, gop=5)


class CountingCoder(PlainCoder):
    """Counts the frames that are decoded."""

    count = 0

    def decode_gop(self, payloads):
        for pixels in super().decode_gop(payloads):
            self.count += 1
            yield pixels


@pytest.fixture
def coder():
    return CountingCoder(6, 8)


@pytest.fixture
def clip(coder):
    return VideoReader(DATA, coder=coder)


def test_any_order_gives_the_same_frames(clip):
    numbers = [random.Random(1).randrange(-23, 23) for _ in range(60)]
    for number in numbers:
        frame = clip[number]
        assert np.array_equal(frame.pixels, FRAMES[number].pixels)
        assert (frame.pts, frame.duration) == (FRAMES[number].pts, FRAMES[number].duration)
    for number in (23, -24, 10**9):
        with pytest.raises(IndexError):
            clip[number]


def test_reading_in_order_decodes_every_frame_once(clip, coder):
    for i in range(len(clip)):
        clip[i]
    assert coder.count == 23
    clip[12], clip[14]  # from the start of its group
    assert coder.count == 23 + 5


@pytest.mark.parametrize(
    "key", [slice(None), slice(3, 9), slice(20, 2, -3), slice(5, 5), slice(-4, None)]
)
def test_slices(clip, key):
    batch, wanted = clip[key], FRAMES[key]
    assert batch.data.shape == (len(wanted), 3, 6, 8) and batch.data.dtype == torch.uint8
    for i, frame in enumerate(wanted):
        assert np.array_equal(np.moveaxis(batch.data[i].numpy(), 0, 2), frame.pixels)
        assert batch.pts_seconds[i] == frame.seconds
        assert batch.duration_seconds[i] == frame.duration_seconds


def test_by_time(clip):
    starts = [frame.seconds for frame in FRAMES]
    end = FRAMES[-1].seconds + FRAMES[-1].duration_seconds
    for seconds in (*starts, *(random.Random(2).uniform(0, end) for _ in range(50))):
        wanted = bisect.bisect_right(starts, seconds) - 1
        assert clip.at(seconds).pts == FRAMES[wanted].pts
    for seconds in (-0.001, end, float("inf")):
        with pytest.raises(IndexError):
            clip.at(seconds)


def test_a_stretch_of_time(clip, coder):
    """Frames and packets that are shown in it, and no group is decoded that has none of them."""
    for seed in range(30):
        start, end = sorted(random.Random(seed).uniform(-0.1, 1.5) for _ in range(2))
        events = list(clip.events(start, end))
        wanted = [f for f in FRAMES if f.seconds < end and f.seconds + f.duration_seconds > start]
        assert [e.pts for e in events if isinstance(e, ClipFrame)] == [f.pts for f in wanted]
        base = [s.time_base for s in STREAMS]
        shown = [
            p for p in PACKETS if p.pts * base[p.stream] < end and p.end * base[p.stream] > start
        ]
        assert [e for e in events if isinstance(e, ClipPacket)] == shown
    coder.count = 0
    list(clip.between(FRAMES[11].seconds, FRAMES[12].seconds))
    assert coder.count <= 5


def test_groups_side_by_side_give_the_same_events(clip, coder):
    for start, end in ((-1, 10), (FRAMES[7].seconds, FRAMES[19].seconds)):
        one, several = (list(clip.events(start, end, at_once)) for at_once in (1, 3))
        assert [type(e) for e in one] == [type(e) for e in several]
        for a, b in zip(one, several, strict=True):
            assert a == b if isinstance(a, ClipPacket) else a.pts == b.pts
            assert isinstance(a, ClipPacket) or np.array_equal(a.pixels, b.pixels)
    assert clip.suited_at_once() >= 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_damaged_group_side_by_side_costs_that_group_only(coder, at_once):
    place = VideoReader(DATA, coder=coder).file.gops[2].at + 40
    damaged = DATA[:place] + bytes([DATA[place] ^ 1]) + DATA[place + 1 :]
    with pytest.warns(ClipWarning, match="left out"):
        events = list(VideoReader(damaged, coder=coder).events(at_once=at_once))
    found = [e.pts for e in events if isinstance(e, ClipFrame)]
    assert found == [f.pts for f in (*FRAMES[:10], *FRAMES[15:])]
    with pytest.raises(CorruptStream):
        list(VideoReader(damaged, coder=coder, strict=True).events(at_once=at_once))


def test_who_stops_early_waits_for_no_group_and_gets_the_threads_back(clip, coder):
    before = torch.get_num_threads()
    events = clip.events(at_once=2)
    next(e for e in events if isinstance(e, ClipFrame))
    assert torch.get_num_threads() == 1
    events.close()
    assert torch.get_num_threads() == before
    assert coder.count <= 4 * 5  # the group that is shown, and those on the way


def test_batches(clip):
    sizes = [len(batch) for batch in clip.batches(7)]
    assert sizes == [7, 7, 7, 2]
    assert torch.equal(torch.cat([batch.data for batch in clip.batches(4)]), clip[:].data)
    with pytest.raises(UsageError):
        next(clip.batches(0))


def test_files_on_disk(tmp_path):
    (tmp_path / "a.ncv").write_bytes(DATA)
    with VideoReader(tmp_path / "a.ncv", coder=PlainCoder(6, 8)) as clip:
        assert len(list(clip)) == 23
        assert clip.duration_seconds == pytest.approx(
            FRAMES[-1].seconds + FRAMES[-1].duration_seconds
        )
    with pytest.raises(FileNotFoundError):
        VideoReader(tmp_path / "b.ncv")


def test_sixteen_bits():
    frames = [
        ClipFrame(to_depth(f.pixels, 16) ^ np.uint16(i), f.pts, f.duration, TICK)
        for i, f in enumerate(FRAMES[:3])
    ]
    clip = VideoReader(write(frames), coder=PlainCoder(6, 8, 16))
    assert clip[:].data.dtype == torch.int32
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(clip, frames, strict=True))


def writer(**options):
    return VideoWriter(io.BytesIO(), facts_of(), coder=PlainCoder(6, 8), **options)


def test_what_a_writer_refuses():
    with pytest.raises(UsageError, match="group"):
        writer(gop=0)
    clip = writer()
    with pytest.raises(UsageError, match="6 x 9"):
        clip.write(np.zeros((6, 9, 3), np.uint8))
    with pytest.raises(UsageError, match="ticks"):
        clip.write(ClipFrame(FRAMES[0].pixels, 0, 1, Fraction(1, 7)))
    clip.write(FRAMES[3])
    with pytest.raises(UsageError, match="behind"):
        clip.write(FRAMES[3])
    with pytest.raises(UsageError, match="stream"):
        clip.write_packet(PACKETS[0])


def test_pixels_come_at_the_rate_of_the_facts():
    file = io.BytesIO()
    with VideoWriter(file, facts_of(), coder=PlainCoder(6, 8)) as clip:
        for frame in FRAMES[:4]:
            clip.write(frame.pixels)
    assert [f.pts for f in VideoReader(file.getvalue(), coder=PlainCoder(6, 8))] == [
        0,
        3000,
        6000,
        9000,
    ]


def test_cuts_begin_a_group():
    dark, light = np.full((40, 40, 3), 20, np.uint8), np.full((40, 40, 3), 90, np.uint8)
    assert is_cut(dark, light) and not is_cut(dark, dark + np.uint8(20))
    file = io.BytesIO()
    with VideoWriter(file, facts_of(40, 40), coder=PlainCoder(40, 40)) as clip:
        for pixels in (dark, dark, light, light, light, dark):
            clip.write(pixels)
    found = VideoReader(file.getvalue(), coder=PlainCoder(40, 40))
    assert [place.frames for place in found.file.gops] == [2, 3, 1]


def test_an_empty_clip():
    file = io.BytesIO()
    VideoWriter(file, facts_of(), coder=PlainCoder(6, 8)).close()
    clip = VideoReader(file.getvalue(), coder=PlainCoder(6, 8))
    assert len(clip) == 0 and list(clip.events()) == [] and clip.duration_seconds == 0
    assert len(clip[:]) == 0
    with pytest.raises(IndexError):
        clip.at(0)

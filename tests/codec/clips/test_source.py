"""Odd clips: read right, or refused in one line."""

from __future__ import annotations

import warnings
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from nacre.codec.clips.facts import ClipPacket, ClipWarning, Range, Scan
from nacre.codec.clips.source import SourceOptions, frames_of_source, open_source
from nacre.codec.container import Limits
from nacre.entropy.errors import ImageError, LimitError, NacreError
from tests.codec.clips import made
from tests.codec.clips.made import Making, make

EVEN = range(0, 30000, 3000)


def frames(path, **options: object):
    source = open_source(path, SourceOptions(**options))
    found = list(frames_of_source(source))
    source.close()
    return source.facts, found


def refused(path, **options: object) -> str:
    with pytest.raises(NacreError) as error:
        frames(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("width", "height"), [(33, 25), (2, 2), (1, 1), (17, 2)])
def test_odd_sizes(tmp_path, width, height):
    path = make(
        tmp_path / "a.mkv", Making("ffv1", "yuv420p", width, height, tick=Fraction(1, 1000))
    )
    facts, found = frames(path)
    assert (facts.width, facts.height, len(found)) == (width, height, len(made.UNEVEN))
    assert found[0].pixels.shape == (height, width, 3)


def test_one_frame(tmp_path):
    facts, (frame,) = frames(make(tmp_path / "a.mp4", Making(pts=[0])))
    assert frame.pts == 0 and frame.duration == 3000 and facts.time_base == made.TICK


def test_ten_bits_and_full_range(tmp_path):
    path = make(tmp_path / "a.mp4", Making(pixel_format="yuv420p10le", range=2, matrix=9))
    facts, found = frames(path)
    assert (facts.bits, facts.range, facts.matrix, facts.pixel_format) == (
        10,
        Range.FULL,
        9,
        "yuv420p10le",
    )
    assert found[0].pixels.dtype == np.uint16
    shown = np.abs(found[3].pixels / 257 - made.picture(3, 48, 64))
    assert shown.mean() < 3


def test_interlaced(tmp_path):
    path = make(tmp_path / "a.mp4", Making(options={"x264opts": "tff=1"}, pts=EVEN))
    assert frames(path)[0].scan == Scan.INTERLACED
    assert frames(make(tmp_path / "b.mp4"))[0].scan == Scan.PROGRESSIVE


def test_missing_time_stamps(tmp_path):
    """A bare stream of H.264 has none: the rate of the stream holds."""
    path = make(tmp_path / "a.h264", Making(pts=EVEN))
    with pytest.warns(ClipWarning, match="without time stamps"):
        facts, found = frames(path)
    assert len(found) == 10
    assert [f.seconds for f in found] == pytest.approx(
        [i / facts.rate for i in range(10)], abs=1e-3
    )


def test_b_frames_with_an_edit_list(tmp_path):
    """What the edit list leaves out is not shown; times are those of players."""
    options = {"bf": "3", "b-adapt": "0"}
    path = make(tmp_path / "a.mp4", Making(pts=[p + 9000 for p in EVEN], options=options))
    with av.open(str(path)) as container:
        kinds = {int(frame.pict_type) for frame in container.decode(video=0)}
    assert 3 in kinds  # B
    _, found = frames(path)
    assert [f.pts * f.time_base for f in found] == made.times(path)
    assert [f.pts for f in found] == [p + 9000 for p in EVEN]
    assert [f.duration for f in found] == [3000] * 10


def test_a_frame_lasts_to_the_next(tmp_path):
    """MP4 tells durations in the order of decoding, which is another one with B-frames."""
    _, found = frames(make(tmp_path / "a.mp4", Making(options={"bf": "3", "b-adapt": "0"})))
    assert [f.pts for f in found] == list(made.UNEVEN)
    gaps = [b - a for a, b in zip(made.UNEVEN, made.UNEVEN[1:], strict=False)]
    assert [f.duration for f in found[:-1]] == gaps and found[-1].duration > 0


def test_audio_only(tmp_path):
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000)
        samples = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
    assert "no pictures" in refused(tmp_path / "a.m4a")


def test_broken_packets(tmp_path):
    path = make(tmp_path / "a.mkv", Making("ffv1", tick=Fraction(1, 1000), pts=range(0, 400, 40)))
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux() if p.size]
    at, size = places[4]
    data[at + 20 : at + size - 20] = bytes(b ^ 0x5A for b in data[at + 20 : at + size - 20])
    path.write_bytes(data)
    assert "--salvage" in refused(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipWarning)
        assert len(frames(path, salvage=True)[1]) >= 9


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "y4m", "gif"])
def test_cut_and_mutated_files_do_not_crash(tmp_path, suffix):
    codec = {"webm": "libvpx-vp9", "y4m": "wrapped_avframe", "gif": "gif"}.get(suffix, "libx264")
    form = "rgb8" if suffix == "gif" else "yuv420p"
    tick = (
        Fraction(1, 30) if suffix == "y4m" else Fraction(1, 100) if suffix == "gif" else made.TICK
    )
    pts = range(10) if suffix in ("y4m", "gif") else EVEN
    path = make(tmp_path / f"a.{suffix}", Making(codec, form, pts=pts, tick=tick))
    data, rng, read = path.read_bytes(), np.random.default_rng(0), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClipWarning)
        for i in range(24):
            changed = bytearray(data[: int(rng.integers(len(data)))] if i % 2 else data)
            for _ in range(4 if changed else 0):
                changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
            path.write_bytes(changed)
            for salvage in (False, True):
                try:
                    read += len(frames(path, salvage=salvage, limits=Limits(pixels=1 << 20))[1])
                except NacreError as error:
                    read += "\n" in str(error) and 10**6
    assert read < 10**6


def test_pictures_on_covers_are_no_video(tmp_path):
    """The picture that goes with a piece of music."""
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 8, 8, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), "rgb24")
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
    assert "no pictures" in refused(tmp_path / "a.m4a")


def test_what_is_no_clip(tmp_path):
    (tmp_path / "a.mp4").write_text("no clip\n")
    (tmp_path / "empty.mp4").write_bytes(b"")
    refused(tmp_path / "a.mp4")
    refused(tmp_path / "empty.mp4")
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "missing.mp4")
    (tmp_path / "folder").mkdir()
    assert "no pictures" in refused(tmp_path / "folder")
    with pytest.raises(LimitError):
        open_source(make(tmp_path / "b.mp4"), SourceOptions(limits=Limits(pixels=100)))


def test_pictures_of_several_sizes(tmp_path):
    for i, side in enumerate((4, 4, 5)):
        Image.new("RGB", (side, 4)).save(tmp_path / f"{i}.png")
    assert "5x4" in refused(tmp_path / "%d.png")
    Image.new("L", (4, 4), 77).save(tmp_path / "2.png")
    facts, found = frames(tmp_path)
    assert facts.rate == 25 and found[2].pixels.tolist() == [[[77] * 3] * 4] * 4
    with pytest.raises(ImageError, match="no pictures"):
        open_source(tmp_path / "other%d.png")


def test_pictures_are_in_the_order_of_their_numbers(tmp_path):
    for i in (1, 2, 10):
        Image.new("L", (1, 1), i).save(tmp_path / f"{i}.png")
    assert [int(f.pixels[0, 0, 0]) for f in frames(tmp_path)[1]] == [1, 2, 10]


def test_sound_is_read_near_its_time_and_can_be_left_out(tmp_path):
    path = make(tmp_path / "a.mp4", Making(audio="aac", subtitle="mov_text", pts=EVEN))
    source = open_source(path)
    found = list(source.events())
    kinds = [s.kind.name for s in source.streams]
    assert kinds == ["AUDIO", "SUBTITLE"] and source.streams[0].language == "deu"
    assert sum(isinstance(e, ClipPacket) for e in found) == len(made.packets(path))
    source = open_source(path, SourceOptions(with_audio=False, with_subtitles=False))
    assert source.streams == () and len(list(source.events())) == 10

"""Clips of other formats through a coded file and back: times, packets, colours, geometry."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from nacre.codec.clips.facts import ClipFrame
from nacre.codec.clips.reader import VideoReader
from nacre.codec.clips.sink import SinkOptions, open_sink
from nacre.codec.clips.source import SourceOptions, frames_of_source, open_source
from nacre.codec.clips.writer import VideoWriter
from nacre.entropy.errors import NacreError, UsageError
from tests.codec.clips import made
from tests.codec.clips.clip_files import PlainCoder
from tests.codec.clips.made import Making, make


def coded(path, options: SourceOptions = SourceOptions()) -> bytes:
    """A clip through the lossless stand-in."""
    source, file = open_source(path, options), io.BytesIO()
    facts = source.facts
    coder = PlainCoder(facts.height, facts.width, 8 if facts.bits == 8 else 16)
    with VideoWriter(file, facts, streams=source.streams, coder=coder, gop=5) as clip:
        for event in source.events():
            if isinstance(event, ClipFrame):
                clip.write(event)
            else:
                clip.write_packet(event)
    source.close()
    return file.getvalue()


def decoded(data: bytes, path, options: SinkOptions = SinkOptions()):
    head = VideoReader(data, coder=PlainCoder(1, 1)).file.head
    clip = VideoReader(data, coder=PlainCoder(head.height, head.width, head.bit_depth))
    sink = open_sink(path, clip.facts, clip.streams, options)
    for event in clip.events():
        if isinstance(event, ClipFrame):
            sink.write(event)
        else:
            sink.write_packet(event)
    sink.close()
    return path


def through(path, target, options: SinkOptions = SinkOptions()):
    return decoded(coded(path), target, options)


def facts_of_video(path) -> dict[str, object]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video=0))
        return {
            "size": (frame.width, frame.height), "format": frame.format.name.replace("yuvj", "yuv"),
            "rotation": frame.rotation, "aspect": video.sample_aspect_ratio or 1,
            "colours": (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc),
            "title": container.metadata.get("title"),
        }  # fmt: skip


def test_variable_rate_with_sound_and_subtitles_and_rotation(tmp_path):
    making = Making(
        audio="aac", subtitle="mov_text", degrees=90, aspect=Fraction(4, 3), range=2, matrix=6
    )
    before = make(tmp_path / "before.mp4", making)
    after = through(before, tmp_path / "after.mp4")
    assert made.times(after) == made.times(before) == [p * made.TICK for p in made.UNEVEN]
    assert made.packets(after) == made.packets(before)
    assert len(made.packets(after, ["audio"])) > 40 and len(made.packets(after, ["subtitle"])) == 5
    assert facts_of_video(after) == facts_of_video(before)
    assert facts_of_video(after)["rotation"] == 90
    with av.open(str(after)) as found, av.open(str(before)) as wanted:
        for a, b in zip(found.streams, wanted.streams, strict=True):
            assert (a.type, a.language, a.disposition) == (b.type, b.language, b.disposition)
        sound = found.streams.audio[0].codec_context
        assert sound.extradata == wanted.streams.audio[0].codec_context.extradata
        heard = [f.to_ndarray() for f in found.decode(audio=0)]
        told = [f.to_ndarray() for f in wanted.decode(audio=0)]
        assert all(np.array_equal(x, y) for x, y in zip(heard, told, strict=True))


@pytest.mark.parametrize(
    ("suffix", "audio", "subtitle", "codec"),
    [
        ("mov", "aac", "mov_text", "libx264"), ("mkv", "libvorbis", "subrip", "ffv1"),
        ("mkv", "flac", None, "libx264"), ("webm", "libopus", "webvtt", "libvpx-vp9"),
        ("mkv", "pcm_s16le", "ass", "mpeg4"), ("mp4", "ac3", None, "libx264"),
    ],
)  # fmt: skip
def test_packets_are_carried_unchanged(tmp_path, suffix, audio, subtitle, codec):
    if audio not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {audio}")
    tick = Fraction(1, 1000) if suffix in ("mkv", "webm") else made.TICK
    pts = [p // 90 for p in made.UNEVEN] if suffix in ("mkv", "webm") else made.UNEVEN
    making = Making(codec, audio=audio, subtitle=subtitle, tick=tick, pts=pts)
    before = make(tmp_path / f"before.{suffix}", making)
    after = through(before, tmp_path / f"after.{suffix}", SinkOptions(codec=codec))
    assert made.packets(after) == made.packets(before)
    assert made.times(after) == made.times(before)


@pytest.mark.parametrize(
    "form",
    [
        "yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le",
        "yuv411p", "yuv440p", "yuv420p16le",
    ],
)  # fmt: skip
@pytest.mark.parametrize("range_", [1, 2])
def test_planes_come_back_within_a_level(tmp_path, form, range_):
    making = Making(
        "ffv1", form, 33, 25, pts=range(0, 400, 40), tick=Fraction(1, 1000), range=range_
    )
    before = make(tmp_path / "before.mkv", making)
    after = through(before, tmp_path / "after.mkv")
    for one, other in zip(made.planes(before), made.planes(after), strict=True):
        for a, b in zip(one, other, strict=True):
            off = np.abs(a.astype(int) - b.astype(int))
            assert (off <= 1).mean() > 0.999 and (off == 0).mean() > 0.7
    assert facts_of_video(after) == facts_of_video(before)


@pytest.mark.parametrize("form", ["bgr0", "gbrp10le", "gbrp16le", "bgra", "rgb48le"])
def test_rgb_comes_back_exactly(tmp_path, form):
    before = make(
        tmp_path / "before.mkv", Making("ffv1", form, 33, 25, tick=Fraction(1, 1000), matrix=0)
    )
    after = through(before, tmp_path / "after.mkv")
    kind = "rgb24" if form.startswith("bgr") else "rgb48le"
    for one, other in zip(shown(before, kind), shown(after, kind), strict=True):
        assert np.array_equal(one, other)


def shown(path, kind: str) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=kind) for frame in container.decode(video=0)]


def test_y4m(tmp_path):
    before = make(
        tmp_path / "before.mkv",
        Making("ffv1", width=33, tick=Fraction(1, 1000), pts=range(0, 400, 40)),
    )
    for suffix in ("y4m", "mkv"):
        path = decoded(coded(before), tmp_path / f"after.{suffix}")
        again = through(path, tmp_path / f"again.{suffix}")
        assert len(made.planes(again)) == 10
        for one, other in zip(made.planes(before), made.planes(again), strict=True):
            assert all(
                (np.abs(a.astype(int) - b) <= 1).all() for a, b in zip(one, other, strict=True)
            )


def test_gif_and_pictures(tmp_path):
    before = make(tmp_path / "before.mp4", Making(pts=range(0, 90000, 9000)))
    data = coded(before)
    gif = decoded(data, tmp_path / "after.gif")
    assert [float(t) for t in made.times(gif)] == pytest.approx([i / 10 for i in range(10)])
    pattern = decoded(data, tmp_path / "frames" / "%05d.png")
    for path in (pattern, tmp_path / "frames"):
        source = open_source(path, SourceOptions(rate=Fraction(10)))
        frames = list(frames_of_source(source))
        assert [f.seconds for f in frames] == [i / 10 for i in range(10)]
        wanted = list(VideoReader(data, coder=PlainCoder(48, 64)))
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, wanted, strict=True))
    again = list(VideoReader(coded(gif), coder=PlainCoder(48, 64)))
    assert np.abs(again[3].pixels.astype(int) - wanted[3].pixels).mean() < 12


def test_high_quality(tmp_path):
    """H.264 and VP9 at their defaults are close to the picture."""
    before = make(
        tmp_path / "before.mkv", Making("ffv1", tick=Fraction(1, 1000), pts=range(0, 400, 40))
    )
    for suffix in ("mp4", "mov", "webm"):
        after = through(before, tmp_path / f"after.{suffix}")
        for one, other in zip(made.planes(before), made.planes(after), strict=True):
            assert np.abs(one[0].astype(int) - other[0]).mean() < 1.5


def test_what_a_container_does_not_take_is_refused_in_one_line(tmp_path):
    data = coded(make(tmp_path / "before.mp4", Making(audio="aac", subtitle="mov_text")))
    for name, word in (
        ("a.webm", "--no-audio"), ("a.y4m", "--no-"), ("a.gif", "--no-"), ("%d.png", "--no-audio"),
        ("a.mkv", "--no-subtitles"), ("a.xyz", "format"),
    ):  # fmt: skip
        with pytest.raises(NacreError, match=word) as error:
            decoded(data, tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="not known"):
        decoded(data, tmp_path / "a.mp4", SinkOptions(codec="nothing"))
    with pytest.raises(UsageError, match="no effect"):
        decoded(data, tmp_path / "a.mkv", SinkOptions(codec="ffv1", crf=3))

"""Clips on the command line, with a lossless stand-in for the networks."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from nacre.codec.clips import network_coder
from nacre.codec.clips.reader import VideoReader
from nacre.tools.cli import main
from tests.codec.clips import made
from tests.codec.clips.clip_files import PlainCoder
from tests.codec.clips.made import Making, make


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    """clip.mp4 and clip.ncv in the folder where commands run: 40 frames, sound, subtitles, turned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        network_coder, "coder_to_encode", lambda h, w, quality, effort, options: PlainCoder(h, w)
    )
    monkeypatch.setattr(
        network_coder, "coder_to_decode", lambda head, options: PlainCoder(head.height, head.width)
    )
    pts = range(0, 40 * 9000, 9000)
    make(Path("clip.mp4"), Making(audio="aac", subtitle="mov_text", degrees=90, pts=pts))
    assert main(["encode", "clip.mp4", "-o", "clip.ncv", "--gop", "8"]) == 0
    return tmp_path


def said(capsys, code: int, *arguments: str) -> str:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    if code:
        assert captured.err.count("\n") == 1
    return captured.out + captured.err


def test_there_and_back(clip, capsys):
    assert "frames/s" in said(capsys, 0, "decode", "clip.ncv", "-o", "back.mp4", "-v")
    assert made.times(Path("back.mp4")) == made.times(Path("clip.mp4"))
    assert made.packets(Path("back.mp4")) == made.packets(Path("clip.mp4"))
    assert "exists" in said(capsys, 1, "decode", "clip.ncv", "-o", "back.mp4")
    assert "--no-audio" in said(capsys, 2, "decode", "clip.ncv", "-o", "back.y4m")
    assert not Path("back.y4m").exists()
    said(capsys, 0, "decode", "clip.ncv", "-o", "back.y4m", "--no-audio", "--no-subtitles")
    said(
        capsys,
        0,
        "decode",
        "clip.ncv",
        "-o",
        "back.mkv",
        "--no-subtitles",
        "--codec",
        "libx264",
        "--crf",
        "30",
    )
    assert len(made.times(Path("back.mkv"))) == 40
    said(capsys, 0, "decode", "clip.ncv", "-o", "back/%03d.png", "--no-audio", "--no-subtitles")
    assert len(list(Path("back").iterdir())) == 40
    assert "exists" in said(
        capsys, 1, "decode", "clip.ncv", "-o", "back/%03d.png", "--no-audio", "--no-subtitles"
    )


def test_a_part(clip, capsys):
    said(
        capsys,
        0,
        "decode",
        "clip.ncv",
        "-o",
        "part.mkv",
        "--start",
        "1.25",
        "--duration",
        "0.5",
        "--no-subtitles",
    )
    assert [float(t) for t in made.times(Path("part.mkv"))] == pytest.approx(
        [0, 0.05, 0.15, 0.25, 0.35, 0.45]
    )
    wanted = VideoReader(Path("clip.ncv"), coder=PlainCoder(48, 64)).at(1.3)
    assert wanted.seconds == pytest.approx(1.3)
    packets = made.packets(Path("part.mkv"))
    assert 20 < len(packets) < 28 and all(0 <= p[1] < 0.5 for p in packets)


def test_a_part_behind_the_end_is_refused(clip, capsys):
    for start in ("3.95", "99"):
        said_so = said(capsys, 2, "decode", "clip.ncv", "-o", "part.mkv", "--start", start)
        assert f"--start {start}: the clip ends at 3.9" in said_so
    assert not Path("part.mkv").exists()


def test_chapters_of_a_part(clip, capsys):
    chapters = [
        (0, 300, "One \x1b[2J"), (300, 700, "Two"), (400, 400, "Point"), (700, 900, "3" * 2000)
    ]  # fmt: skip
    with av.open("long.mkv", "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.set_chapters(
            [
                {"id": 1, "start": a, "end": b, "time_base": made.MS, "metadata": {"title": title}}
                for a, b, title in chapters
            ]
        )
        for i in range(25):
            frame = av.VideoFrame.from_ndarray(made.picture(i, 48, 64), "rgb24")
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
    said(capsys, 0, "encode", "long.mkv", "-o", "long.ncv")
    told = said(capsys, 0, "info", "long.ncv")
    assert "4 chapter(s): One ?[2J, Two, Point, 333" in told and len(told) < 1000
    assert json.loads(said(capsys, 0, "info", "--json", "long.ncv"))["annotation_bytes"] > 2000
    assert "annotations" in said(capsys, 2, "encode", "long.mkv", "-f", "--size", "2kB")
    said(capsys, 0, "decode", "long.ncv", "-o", "whole.mkv")
    with av.open("whole.mkv") as container:
        assert [c["metadata"]["title"] for c in container.chapters()] == [c[2] for c in chapters]
    said(capsys, 0, "decode", "long.ncv", "-o", "part.mkv", "--start", "0.2", "--duration", "0.3")
    with av.open("part.mkv") as container:
        found = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in container.chapters()
        ]
        titles = [c["metadata"]["title"] for c in container.chapters()]
    tenth = Fraction(1, 10)
    assert found == [(0, tenth), (tenth, 3 * tenth), (2 * tenth, 2 * tenth)]
    assert titles == ["One \x1b[2J", "Two", "Point"]


def test_pictures_make_a_clip(clip, capsys):
    Path("frames").mkdir()
    for i in range(3):
        Image.new("RGB", (9, 7), (i, 2 * i, 3 * i)).save(f"frames/{i:05}.png")
    for source in ("frames", "frames/%05d.png"):
        said(capsys, 0, "encode", source, "-o", "frames.ncv", "--rate", "30000/1001", "-f")
        with VideoReader("frames.ncv", coder=PlainCoder(7, 9)) as found:
            assert found[2].pixels[0, 0].tolist() == [2, 4, 6]
            assert found[2].seconds == pytest.approx(2 * 1001 / 30000)
            assert found[:].data.shape == (3, 3, 7, 9)
    for rate in ("0", "9999.999999"):
        assert "--rate" in said(capsys, 2, "encode", "frames", "-o", "a.ncv", "--rate", rate)


def test_info(clip, capsys):
    found = said(capsys, 0, "info", "clip.ncv", "--frames")
    assert "64x48, 40 frames, 3.933 s" in found and "audio: aac deu" in found
    assert found.count("intra") == 5 and found.count("inter,") == 35
    told = json.loads(said(capsys, 0, "info", "clip.ncv", "--json", "--frames"))
    assert told["rotation"] == 270 and len(told["rows"]) == 40 and told["is_whole"]
    said(capsys, 0, "info", "clip.ncv", "--thumbnails", "sheet.png")
    assert Image.open("sheet.png").size == (5 * 48, 64)  # turned: 48 wide, 64 high


def test_verify(clip, capsys):
    assert "whole, 5 groups, 40 frames" in said(capsys, 0, "verify", "clip.ncv")
    data = bytearray(Path("clip.ncv").read_bytes())
    data[len(data) // 2] ^= 4
    Path("damaged.ncv").write_bytes(data)
    assert "damaged: GOPS at byte" in said(capsys, 1, "verify", "damaged.ncv")
    Path("cut.ncv").write_bytes(data[: len(data) // 3])
    assert "the file is cut" in said(capsys, 1, "verify", "cut.ncv")
    assert main(["decode", "cut.ncv", "-o", "cut.mp4"]) == 0
    assert 5 < len(made.times(Path("cut.mp4"))) < 20


@pytest.mark.parametrize(
    ("code", "word", "arguments"),
    [
        (2, "--bpp", ["encode", "clip.mp4", "-o", "a.ncv", "--bpp", "1"]),
        (2, "--lossless", ["encode", "clip.mp4", "-o", "a.ncv", "--lossless"]),
        (2, "group", ["encode", "clip.mp4", "-o", "a.ncv", "--gop", "0"]),
        (2, "--region", ["decode", "clip.ncv", "-o", "a.mp4", "--region", "1,1,1,1"]),
        (2, "--start", ["decode", "clip.ncv", "-o", "a.mp4", "--start", "soon"]),
        (2, "streams", ["encode", "clip.mp4", "-o", "-", "--gop", "2"]),
        (1, "exists", ["encode", "clip.mp4", "-o", "clip.ncv"]),
        (1, "No such file", ["encode", "missing.mp4", "-o", "a.ncv"]),
        (1, "a clip, not a picture", ["decode", "clip.ncr", "-o", "a.png"]),
        (2, "one command", ["info", "clip.ncv", "clip.ncr"]),
    ],
)
def test_one_line_says_what_is_wrong(clip, capsys, code, word, arguments):
    Path("clip.ncr").write_bytes(Path("clip.ncv").read_bytes())
    assert word in said(capsys, code, *arguments)
    assert not Path("a.ncv").exists() and not Path("a.mp4").exists()


def test_sizes_and_rates_that_are_missed_are_told(clip, capsys):
    """The stand-in takes what it takes; sound and subtitles of the clip count as well."""
    again = ["encode", "clip.mp4", "-o", "again.ncv", "-f"]
    assert "more than the 66000 asked for" in said(capsys, 0, *again, "--size", "66kB")
    assert "warning" not in said(capsys, 0, *again, "--size", "9MB")
    assert "the other streams" in said(capsys, 2, *again, "--size", "1kB")
    assert "2.0 kbit/s were asked for" in said(capsys, 0, *again, "--bitrate", "2k")
    assert "exclude" in said(capsys, 2, *again, "--bitrate", "2k", "--size", "1MB")


def test_without_a_model_for_clips(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(network_coder, "DEFAULT_MODEL", "absent")
    make(Path("clip.mp4"))
    assert "absent" in said(capsys, 1, "encode", "clip.mp4")
    assert not Path("clip.ncv").exists()
    model = Path(network_coder.__file__).parents[2] / "models" / "weights" / "nacre.safetensors"
    assert "codes pictures" in said(capsys, 2, "encode", "clip.mp4", "--model", str(model))

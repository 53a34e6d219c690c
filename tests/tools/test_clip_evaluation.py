"""nacre eval, bench and bdrate with clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from nacre.codec.clips import network_coder
from nacre.tools.cli import main
from tests.codec.clips.made import Making, make, picture


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Two clips, numbered pictures, and a folder of pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NACRE_MODELS", str(tmp_path / "models"))
    for name in ("clips", "frames", "pictures"):
        Path(name).mkdir()
    for name in ("a", "b"):
        make(
            Path(f"clips/{name}.mkv"),
            Making("ffv1", width=32, height=32, pts=range(0, 8 * 3000, 3000)),
        )
    for i in range(4):
        Image.fromarray(picture(i, 32, 32)).save(f"frames/{i:05}.png")
    Image.new("RGB", (32, 32)).save("pictures/a.png")
    return tmp_path


CODECS = "x264-fast-lowdelay,x264-fast"
SWEEPS = ["--qualities", "x264-fast-lowdelay=45,35,25", "--qualities", "x264-fast=45,35,25"]


def test_codecs_are_measured_against_each_other_and_a_published_curve(folder, capsys, monkeypatch):
    monkeypatch.setattr(network_coder, "DEFAULT_MODEL", "absent")
    command = ["bench", "clips", "frames/%05d.png", "--codecs", CODECS + ",nacre,aom", *SWEEPS]
    command += ["--anchor", "uvg-yuv420:vtm-17.0-lowdelay-b", "--frames", "4", "--gop", "3"]
    command += ["--json", "r.json", "--report", "r.html", "--svg", "r.svg", "--timing"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "PSNR YUV, dB" in said.out and "decode, frames/s" in said.out
    assert (
        "| BD-rate by PSNR (YUV 6:1:1), % of | against H.264 (x264 fast), low delay |" in said.out
    )
    assert "VTM 17.0 low-delay B" in said.out and "-g 3" in said.err
    assert "nacre: skipped: no model is called 'absent'" in said.err and "aom: skipped" in said.err
    raw = json.loads(Path("r.json").read_text())
    assert {name: facts["clip"]["frames"] for name, facts in raw["pictures"].items()} == {
        "a.mkv": 4, "b.mkv": 4, "frames": 4
    }  # fmt: skip
    assert all(row["encode_seconds"] > 0 for codec in raw["codecs"] for row in codec["rows"])
    assert "<svg" in Path("r.html").read_text() and Path("r.svg").read_text().startswith("<svg")
    names = ["r.json:x264-fast-lowdelay", "r.json:x264-fast"]
    assert main(["bdrate", *names, "--metric", "psnr_yuv"]) == 0
    assert "of 3 pictures: median" in capsys.readouterr().out


def test_a_model_is_taken_for_our_codecs_alone(folder, tiny, capsys):
    command = ["bench", "clips", "--model", str(tiny), "--codecs", "x264-fast,nacre-intra"]
    assert main([*command, "--qualities", "nacre-intra=40"]) == 2
    assert f"nacre-intra:{tiny}: {tiny} codes pictures" in capsys.readouterr().err
    assert main(["eval", "clips", "--model", str(tiny)]) == 2
    assert "codes pictures" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench clips pictures", "clips and pictures in one command: pictures is no clip"),
        ("bench clips --codecs jpeg", "codec of clips 'jpeg'"),
        ("bench pictures --codecs jpeg --gop 4", "--gop is for clips"),
        ("bench pictures --codecs jpeg --frames 4", "--frames is for clips"),
        ("bench clips --codecs x264 --lpips", "--lpips is for pictures"),
        ("bench clips --codecs x264 --frames 0", "--frames 0: at least 1"),
        ("bench clips --codecs x264 --report r.html --compare c.mkv", "one of a.mkv, b.mkv wanted"),
        ("bench clips clips/a.mkv --codecs x264", "two clips are called a.mkv"),
        ("bench pictures pictures --codecs jpeg", "one folder of pictures is wanted"),
        ("bench pictures --codecs x264-medium", "codec 'x264-medium'"),
    ],
)
def test_wrong_commands_are_one_line(folder, capsys, command, said):
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1


def test_a_clip_that_cannot_be_read_ends_with_its_own_code(folder, capsys):
    Path("clips/c.mkv").write_text("no clip")
    command = "bench clips --codecs x264 --qualities x264=40 --frames 2 -j 1"
    assert main(command.split()) == 3
    assert "c.mkv" in capsys.readouterr().err

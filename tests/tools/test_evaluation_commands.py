"""nacre eval, bench and bdrate as command lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nacre.tools.cli import main


@pytest.fixture
def folder(tmp_path, photo, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("set").mkdir()
    for i, left in enumerate((0, 30)):
        photo.crop((left, 0, left + 64, 48)).save(f"set/{i}.png")
    return tmp_path


def test_a_model_is_measured_and_compared_with_a_published_curve(folder, tiny, capsys):
    assert (
        main(["eval", "set", "--model", str(tiny), "--qualities", "90,10,50", "--json", "a.json"])
        == 0
    )
    out = capsys.readouterr().out
    assert [line.split("|")[2].strip() for line in out.splitlines()[2:]] == ["10", "50", "90"]
    raw = json.loads(Path("a.json").read_text())
    assert raw["dataset"] == "set" and len(raw["codecs"][0]["rows"]) == 6
    assert main(["bdrate", "a.json", "a.json", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[0]
    assert found["pchip"]["bd_rate"]["value"] == 0
    assert found["pictures"]["bd_rate"] == {"0.png": 0, "1.png": 0}


def test_codecs_are_measured_against_each_other(folder, capsys):
    command = ["bench", "set", "--codecs", "jpeg,webp@method=0,vtm", "--anchor", "kodak:vtm-18.0"]
    command += ["--qualities", "jpeg=20,50,80", "--qualities", "webp@method=0=20,50,80"]
    command += ["--json", "r.json", "--report", "r.html", "--svg", "r.svg", "-j", "1"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "| JPEG 4:4:4 | 20 |" in said.out and "VTM 18.0" in said.out
    assert "vtm: skipped: no EncoderAppStatic" in said.err
    assert "method=0" in said.err  # the exact settings
    assert "<svg" in Path("r.html").read_text() and Path("r.svg").read_text().startswith("<svg")
    assert main(["bdrate", "r.json:jpeg", "r.json:webp@method=0", "--method", "all"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["pchip", "akima", "cubic"]
    assert "of 2 pictures: median" in out and "worst: " in out


def test_a_set_with_a_broken_picture_ends_with_its_own_code(folder, capsys):
    Path("set/2.png").write_bytes(b"no picture")
    assert main(["bench", "set", "--codecs", "jpeg", "--qualities", "jpeg=50", "-j", "1"]) == 3
    assert "2.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench nowhere", "not a folder"),
        ("bench set --codecs gif", "codec 'gif'"),
        ("bench set --codecs jpeg --qualities webp=3", "of one of jpeg"),
        ("bench set --codecs jpeg --qualities jpeg=a", "numbers with commas"),
        ("bench set --codecs jpeg --anchor kodak:vmt", "no such published curve"),
        ("bench set --codecs jpeg --report set --json a.json", "set is a folder"),
        ("bench set --codecs jpeg --report a.html --compare 9.png", "no such picture in set"),
        ("bdrate kodak:vtm-18.0", "ANCHOR and TEST"),
        ("bdrate kodak:vtm-18.0 nowhere.json", "No such file"),
        ("eval set --jobs 0", "at least 1"),
    ],
)
def test_wrong_commands_are_one_line(folder, capsys, command, said):
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1


def test_jinja_that_is_missing_is_told_before_anything_is_measured(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    command = "bench set --codecs jpeg --qualities jpeg=50 --json a.json --report a.html -j 1"
    assert main(command.split()) == 2
    assert "the report needs jinja2: pip install 'nacre[report]'" in capsys.readouterr().err
    assert not list(folder.glob("a.*"))
    assert main(command.replace("--report a.html", "--svg a.svg").split()) == 0  # needs none


def test_rows_of_a_run_are_a_curve(folder, capsys):
    command = "bench set --codecs jpeg,webp --qualities jpeg=20,80 --qualities webp=20,80 --json a.json -j 1"
    assert main(command.split()) == 0
    capsys.readouterr()
    assert main(["bdrate", "a.json:webp", "a.jsonl:webp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["pchip"]["bd_rate"]["value"] == 0


def test_a_model_that_is_not_there_is_told(folder, capsys):
    assert main(["eval", "set", "--model", "nothing"]) == 1
    assert "no model is called 'nothing'" in capsys.readouterr().err


def test_different_sets_and_odd_curves_are_warned_about(folder, capsys):
    Path("two.csv").write_text("bpp,psnr\n0.1,30\n1,38\n")
    assert main(["bdrate", "kodak:vtm-18.0", "tecnick:vtm-18.0", "two.csv"]) == 0
    err = capsys.readouterr().err
    assert "the sets differ: kodak and tecnick" in err and "two has 2 points only" in err


def test_published_curves_are_listed(capsys):
    assert main(["bdrate", "--list", "kodak"]) == 0
    assert "kodak:vtm-18.0" in capsys.readouterr().out.splitlines()

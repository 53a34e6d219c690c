"""A run is the same whenever it is made, goes on after a stop, and gets past what fails."""

from __future__ import annotations

import hashlib
import json
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate import bench
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.results import read_evaluation


@pytest.fixture
def folder(tmp_path, photo) -> Path:
    """Two pictures, a file that is none and one that says it is."""
    inside = tmp_path / "set"
    inside.mkdir()
    for i, left in enumerate((0, 30)):
        photo.crop((left, 0, left + 64, 48)).save(inside / f"{i}.png")
    (inside / "broken.png").write_bytes((inside / "0.png").read_bytes()[:200])
    (inside / "notes.txt").write_text("not a picture")
    return inside


class Ear:
    """Hears what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[tuple[str, int, int]] = []
        self.listener = Listener(self.lines.append, lambda *what: self.done.append(what))

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def run(plan: Plan):
    ear = Ear()
    return bench.run(plan, ear.listener), ear


def plan_of(folder, *codecs, **more):
    qualities = {name: (20.0, 70.0) for name in codecs}
    return Plan(folder, codecs, {**qualities, **more.pop("qualities", {})}, **more)


def test_rows_are_those_of_the_files(folder, tiny, photo):
    name = f"nacre:{tiny}"
    found, ear = run(plan_of(folder, name))
    (result,) = found.codecs
    assert [(r.picture, r.quality) for r in result.rows] == [
        ("0.png", 20), ("0.png", 70), ("1.png", 20), ("1.png", 70)
    ]  # fmt: skip
    image = photo.crop((0, 0, 64, 48))
    data = codec.encode(image, quality=20, model=tiny, strip=True)
    row = result.rows[0]
    assert row.bytes == len(data) and row.bpp == pytest.approx(8 * len(data) / (64 * 48), abs=1e-6)
    assert row.sha256 == hashlib.sha256(data).hexdigest()[:16]
    decoded = codec.decode(data, model=tiny)
    assert row.psnr_rgb == pytest.approx(psnr_db(np.asarray(image), np.asarray(decoded)), abs=1e-6)
    assert row.ms_ssim is None and row.encode_seconds is None
    assert list(found.unreadable) == ["broken.png"] and ear.said("broken.png")
    assert found.pictures["0.png"]["width"] == 64


def test_means_are_over_the_pictures(folder):
    found, _ = run(plan_of(folder, "jpeg"))
    means, rows = found.codecs[0].means(), found.codecs[0].rows
    assert means["quality"] == [20, 70]
    assert means["bpp"][0] == pytest.approx((rows[0].bpp + rows[2].bpp) / 2, abs=1e-6)
    assert means["psnr_rgb"][1] == pytest.approx(
        (rows[1].psnr_rgb + rows[3].psnr_rgb) / 2, abs=1e-6
    )
    assert "ms_ssim" not in means  # the pictures are too small for it


def test_a_picture_that_misses_a_quality_is_in_no_mean(folder):
    found, _ = run(plan_of(folder, "jpeg"))
    (result,) = found.codecs
    one = [row for row in result.rows if row.picture == "1.png"]
    result.rows = [row for row in result.rows if (row.picture, row.quality) != ("0.png", 70)]
    assert result.complete() == ["1.png"]
    assert result.means()["bpp"] == [row.bpp for row in one]


def test_a_second_run_finds_the_same_and_side_by_side_too(folder):
    first, _ = run(plan_of(folder, "jpeg", "webp"))
    second, _ = run(plan_of(folder, "jpeg", "webp", jobs=2))
    assert [c.rows for c in first.codecs] == [c.rows for c in second.codecs]


def test_seconds_and_memory_are_measured_when_asked_for(folder):
    found, _ = run(plan_of(folder, "jpeg", is_timed=True))
    for row in found.codecs[0].rows:
        assert 0 < row.encode_seconds < 60 and 0 < row.decode_seconds < 60
        assert 10 < row.peak_memory_mib < 20_000


def test_results_survive_the_file(folder, tmp_path):
    found, _ = run(plan_of(folder, "jpeg", "vtm", json=tmp_path / "r.json"))
    assert read_evaluation(tmp_path / "r.json") == found
    raw = json.loads((tmp_path / "r.json").read_text())
    assert raw["codecs"][0]["bpp"] == found.codecs[0].means()["bpp"]
    assert "EncoderAppStatic" in raw["skipped"]["vtm"]
    assert [p.name for p in tmp_path.iterdir() if "r.json" in p.name] == ["r.json"]


def test_a_run_goes_on_where_it_stood(folder, tmp_path):
    out = tmp_path / "r.json"
    whole, _ = run(plan_of(folder, "jpeg", json=out))
    kept = read_evaluation(out)
    kept.codecs[0].rows = kept.codecs[0].rows[:2]  # as if stopped after the first picture
    marked = replace(kept.codecs[0].rows[0], psnr_y=1.0)
    kept.codecs[0].rows[0] = marked
    kept.write(out)
    found, ear = run(plan_of(folder, "jpeg", json=out))
    assert ear.done == [("jpeg", 1, 1)]
    assert found.codecs[0].rows == [marked, *whole.codecs[0].rows[1:]]


def test_what_was_measured_otherwise_is_measured_anew(folder, tmp_path, photo):
    out = tmp_path / "r.json"
    run(plan_of(folder, "jpeg", json=out))
    photo.crop((5, 5, 69, 53)).save(folder / "1.png")  # another picture by the same name
    assert run(plan_of(folder, "jpeg", json=out))[1].done == [("jpeg", 1, 1)]
    kept = read_evaluation(out)
    kept.codecs[0].version = "Pillow 1.0"
    kept.write(out)
    ear = run(plan_of(folder, "jpeg", json=out))[1]
    assert ear.done == [("jpeg", 1, 2), ("jpeg", 2, 2)] and ear.said("measured anew")
    assert run(plan_of(folder, "jpeg", json=out, is_timed=True))[1].done[-1] == ("jpeg", 2, 2)


def test_qualities_that_are_no_longer_asked_for_go(folder, tmp_path):
    out = tmp_path / "r.json"
    run(plan_of(folder, "jpeg", json=out))
    found, _ = run(plan_of(folder, "jpeg", json=out, qualities={"jpeg": (20.0, 50.0)}))
    assert [r.quality for r in found.codecs[0].rows] == [20, 50] * 2


def stand_in(tmp_path, encoder):
    """bpgenc and bpgdec that copy, but for what `encoder` does first."""
    for name, text in (
        ("bpgenc", encoder + "\nimport shutil; shutil.copy('in.png', 'out.bpg')"),
        ("bpgdec", "import shutil; shutil.copy('out.bpg', 'rec.png')"),
    ):
        (tmp_path / name).write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
        (tmp_path / name).chmod(0o755)
    return f"bpg@encoder={tmp_path / 'bpgenc'},decoder={tmp_path / 'bpgdec'}"


BLACK = "import numpy as np; from PIL import Image; is_black = not np.asarray(Image.open('in.png')).any()\n"


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        ("if is_black: raise SystemExit('black')", "ended with 1: black"),
        ("import os\nif is_black: os.kill(os.getppid(), 9)", "the process died"),
    ],
)
def test_a_codec_that_crashes_half_way_is_got_past(folder, tmp_path, photo, crash, said):
    Image.new("RGB", (64, 48)).save(folder / "0.png")
    name = stand_in(tmp_path, BLACK + crash)
    out = tmp_path / "r.json"
    found, ear = run(plan_of(folder, name, "jpeg", json=out))
    bpg, jpeg = found.codecs
    assert [f.picture for f in bpg.failures] == ["0.png"] * 2 and said in bpg.failures[0].reason
    assert {r.picture for r in bpg.rows} == {"1.png"} and len(jpeg.rows) == 4
    assert ear.said(said) and ear.said("mean over 1 of 2 pictures")
    assert read_evaluation(out) == found


def test_nothing_to_measure_is_an_error(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    for where, codecs, said in (
        (tmp_path / "empty", ("jpeg",), "no picture"),
        (tmp_path / "nowhere", ("jpeg",), "not a folder"),
        (folder, ("vtm",), "nothing was measured"),
    ):
        with pytest.raises(UsageError, match=said):
            run(plan_of(where, *codecs))
    for path in folder.glob("[01].png"):
        path.unlink()
    with pytest.raises(UsageError, match="none of 1 pictures"):
        run(plan_of(folder, "jpeg"))


def test_a_file_that_is_no_evaluation_is_not_overwritten(folder, tmp_path):
    (tmp_path / "r.json").write_text('{"format": "another"}')
    with pytest.raises(UsageError, match="no evaluation"):
        run(plan_of(folder, "jpeg", json=tmp_path / "r.json"))
    assert (tmp_path / "r.json").read_text() == '{"format": "another"}'

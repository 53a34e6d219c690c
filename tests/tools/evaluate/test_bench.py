"""A run is reproducible, resumes after a stop and goes on after a failure."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from nacre import codec
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate import bench
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.codecs.pillow import Jpeg
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.results import Evaluation, read_evaluation


@pytest.fixture
def folder(tmp_path, photo) -> Path:
    """A folder with two pictures, a damaged picture and a text file."""
    inside = tmp_path / "set"
    inside.mkdir()
    for i, left in enumerate((0, 30)):
        photo.crop((left, 0, left + 64, 48)).save(inside / f"{i}.png")
    (inside / "broken.png").write_bytes((inside / "0.png").read_bytes()[:200])
    (inside / "notes.txt").write_text("not a picture")
    return inside


class Ear:
    """Records messages and progress of a run."""

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
    assert found.pictures["0.png"].width == 64


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
    assert {p.name for p in tmp_path.iterdir() if "r.json" in p.name} == {"r.json", "r.jsonl"}


def test_rows_alone_are_kept_where_their_suffix_is_asked_for(folder, tmp_path):
    run(plan_of(folder, "jpeg", json=tmp_path / "r.jsonl"))
    assert run(plan_of(folder, "jpeg", json=tmp_path / "r.jsonl"))[1].done == []
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["r.jsonl"]


def test_nothing_that_was_measured_is_ever_deleted(folder, tmp_path):
    out = tmp_path / "r.json"
    first, _ = run(plan_of(folder, "jpeg", json=out))
    other, _ = run(plan_of(folder, "jpeg", json=out, qualities={"jpeg": (20.0, 50.0)}))
    assert [r.quality for r in other.codecs[0].rows] == [20, 50] * 2  # what this call asked for
    timed, ear = run(plan_of(folder, "jpeg", json=out, is_timed=True))
    assert ear.done[-1] == ("jpeg", 2, 2)
    run(plan_of(folder, "webp", json=out))
    for wanted, more in ((first, {}), (timed, {"is_timed": True})):
        again, ear = run(plan_of(folder, "jpeg", json=out, **more))
        assert ear.done == [] and again.codecs[0].rows == wanted.codecs[0].rows
        assert [c.codec for c in again.codecs] == ["jpeg"]


def test_a_result_is_appended_and_the_summary_is_written_once(folder, tmp_path, monkeypatch):
    written = []
    write = Evaluation.write
    monkeypatch.setattr(Evaluation, "write", lambda *a: written.append(a) or write(*a))
    ear = Ear()
    sizes = []

    def advance(*what):
        sizes.append(Path(tmp_path / "r.jsonl").read_bytes())

    bench.run(
        plan_of(folder, "jpeg", "webp", json=tmp_path / "r.json"),
        Listener(ear.lines.append, advance),
    )
    assert len(written) == 1 and len(sizes) == 4
    assert all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(sizes))


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_run_goes_on_after_a_row_that_was_cut_short(folder, tmp_path, cut):
    out = tmp_path / "r.json"
    whole, _ = run(plan_of(folder, "jpeg", json=out))
    out.unlink()
    rows = tmp_path / "r.jsonl"
    *kept, last = rows.read_bytes().splitlines(keepends=True)
    rows.write_bytes(b"".join(kept) + last[:-cut])
    found, ear = run(plan_of(folder, "jpeg", json=out))
    assert ear.done == (
        [] if cut == 1 else [("jpeg", 1, 1)]
    )  # one byte less is a line without its end
    assert found.codecs[0].rows == whole.codecs[0].rows
    assert len(rows.read_bytes().splitlines()) == len(kept) + 1


def test_a_run_that_was_killed_goes_on(folder, tmp_path, stand_in):
    name = stand_in("import time; time.sleep(0.3)")
    command = [sys.executable, "-m", "nacre", "bench", str(folder), "--codecs", name, "-j", "1"]
    command += ["--qualities", f"{name}=1,2,3,4,5,6", "--json", str(tmp_path / "r.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = tmp_path / "r.jsonl"
    until = time.monotonic() + 60
    while not rows.exists() or rows.read_bytes().count(b'"kind":"row"') < 2:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    kept = rows.read_bytes().count(b'"kind":"row"')
    qualities = {name: (1.0, 2.0)}
    found, ear = run(plan_of(folder, name, json=tmp_path / "r.json", qualities=qualities))
    assert 2 <= kept < 12 and len(found.codecs[0].rows) == 4
    assert ear.done == [(name, 1, 1)]  # the first picture was measured before


def test_a_picture_is_known_by_its_content(folder, tmp_path):
    out = tmp_path / "r.json"
    first, _ = run(plan_of(folder, "jpeg", json=out))
    (folder / "1.png").rename(folder / "renamed.png")
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    found, ear = run(plan_of(folder, "jpeg", json=out))
    assert ear.done == []
    assert [r.picture for r in found.codecs[0].rows[::2]] == ["0.png", "copy.png", "renamed.png"]
    assert found.codecs[0].rows[2].sha256 == first.codecs[0].rows[0].sha256


def test_what_was_measured_otherwise_is_measured_anew(folder, tmp_path, photo, monkeypatch):
    out = tmp_path / "r.json"
    run(plan_of(folder, "jpeg", json=out))
    photo.crop((5, 5, 69, 53)).save(folder / "1.png")  # another picture by the same name
    assert run(plan_of(folder, "jpeg", json=out))[1].done == [("jpeg", 1, 1)]
    with monkeypatch.context() as patch:
        patch.setattr(Jpeg, "version", "Pillow 1.0")
        ear = run(plan_of(folder, "jpeg", json=out))[1]
    assert ear.done == [("jpeg", 1, 2), ("jpeg", 2, 2)] and ear.said("measured anew")
    ear = run(plan_of(folder, "jpeg", json=out))[1]  # rows of the first version are still there
    assert ear.done == [] and not ear.said("measured anew")


def test_the_number_of_processes_changes_no_file(folder, tmp_path):
    """nacre's files depend on the threads, so a run without seconds has one in each process."""
    found, _ = run(plan_of(folder, "jpeg", json=tmp_path / "r.json", jobs=1))
    assert found.machine.threads == 1
    assert run(plan_of(folder, "jpeg", json=tmp_path / "r.json", jobs=2))[1].done == []


def test_results_of_older_releases_are_taken_up(folder, tmp_path):
    out = tmp_path / "r.json"
    whole, _ = run(plan_of(folder, "jpeg", json=out))
    (tmp_path / "r.jsonl").unlink()  # older releases kept all rows in the summary
    marked = replace(whole.codecs[0].rows[0], psnr_y=1.0)
    old = replace(whole, codecs=[replace(whole.codecs[0], rows=[marked])])
    old.write(out)
    found, _ = run(plan_of(folder, "jpeg", json=out))
    assert found.codecs[0].rows == [marked, *whole.codecs[0].rows[1:]]


def test_a_wrong_name_is_found_before_anything_is_measured(folder, tmp_path):
    with pytest.raises(UsageError, match="gif"):
        run(plan_of(folder, "jpeg", "gif", json=tmp_path / "r.json"))
    assert not (tmp_path / "r.jsonl").exists()


def test_lpips_that_is_missing_is_told_before_anything_is_measured(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(UsageError, match="package lpips"):
        run(plan_of(folder, "jpeg", json=tmp_path / "r.json", with_lpips=True))
    assert not (tmp_path / "r.jsonl").exists()


SIZE = """
import struct
width, height = struct.unpack(">II", open("in.png", "rb").read(24)[16:])
"""
DIE = "import os; os.kill(os.getppid(), 9)"


@pytest.mark.parametrize(
    ("crash", "said"),
    [("raise SystemExit('small')", "ended with 1: small"), (DIE, "the process died")],
)
def test_a_codec_that_crashes_does_not_stop_the_run(folder, tmp_path, photo, stand_in, crash, said):
    photo.crop((0, 0, 10, 10)).save(folder / "0.png")
    name = stand_in(f"{SIZE}if width == 10: {crash}")
    out = tmp_path / "r.json"
    found, ear = run(plan_of(folder, name, "jpeg", json=out))
    bpg, jpeg = found.codecs
    assert [f.picture for f in bpg.failures] == ["0.png"] * 2 and said in bpg.failures[0].reason
    assert {r.picture for r in bpg.rows} == {"1.png"} and len(jpeg.rows) == 4
    assert ear.said(said) and ear.said("mean over 1 of 2 pictures")
    assert read_evaluation(out) == found


def test_a_process_that_died_is_replaced_and_the_others_go_on(tmp_path, photo, stand_in):
    """Without a replacement the pictures after the death would be measured one by one."""
    (tmp_path / "set").mkdir()
    for i in range(5):
        photo.crop((0, 0, 10 + i, 10)).save(tmp_path / "set" / f"{i}.png")
    log = tmp_path / "log"
    name = stand_in(f"""{SIZE}
import os, time
if width == 10:
    os.kill(os.getppid(), 9)
begin = time.time()
time.sleep(1)
with open({str(log)!r}, "a") as file:
    print(begin, time.time(), file=file)
""")
    found, _ = run(plan_of(tmp_path / "set", name, qualities={name: (22.0,)}, jobs=2))
    assert [f.picture for f in found.codecs[0].failures] == ["0.png"]
    assert len(found.codecs[0].rows) == 4
    times = sorted(tuple(map(float, line.split())) for line in log.read_text().splitlines())
    overlaps = [b[0] < a[1] for a, b in pairwise(times[1:])]
    assert any(overlaps)


def test_a_process_that_dies_once_loses_nothing(folder, tmp_path, stand_in):
    once = f"""
import os
if not os.path.exists({str(tmp_path / "died")!r}):
    open({str(tmp_path / "died")!r}, "w")
    os.kill(os.getppid(), 9)
"""
    found, ear = run(plan_of(folder, stand_in(once)))
    assert found.codecs[0].failures == [] and len(found.codecs[0].rows) == 4
    assert not ear.said("died")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes there")
def test_a_name_that_is_not_utf_8_is_left_out(folder, tmp_path, photo):
    photo.save(folder / "x.png")
    (folder / "x.png").rename(os.fsdecode(os.fsencode(folder / "caf") + b"\xe9.png"))
    found, ear = run(plan_of(folder, "jpeg", json=tmp_path / "r.json"))
    assert "caf\\udce9.png" in found.unreadable and ear.said("not UTF-8")
    assert len(found.codecs[0].rows) == 4


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

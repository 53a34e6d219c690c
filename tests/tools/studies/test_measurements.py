"""Studies of speed, sizes and portability in their smallest form: plausible figures, and their table."""

from __future__ import annotations

import io
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from nacre import codec
from nacre.entropy.errors import UsageError
from nacre.models import weights_file, zoo
from nacre.tools.studies import (
    ablation,
    benchmark,
    efforts,
    portability,
    scaling,
    targets,
    truncation,
)


def test_benchmark(figures, picture, monkeypatch):
    monkeypatch.setattr(benchmark, "cold_decode_seconds", lambda data: 2.5)
    monkeypatch.setattr(benchmark, "WARMING", 1)
    found = figures(
        benchmark, picture, "--side", "48", "32", "--repeats", "1", "--decodes", "1"
    )  # fmt: skip
    assert (found["width"], found["height"]) == (48, 32)
    assert [stage["name"] for stage in found["stages"]][-1] == "decode"
    assert all(0 < stage["entropy_seconds"] < stage["seconds"] for stage in found["stages"])


def test_benchmark_needs_proc_for_growth_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "PROC", tmp_path)
    with pytest.raises(UsageError, match="/proc"):
        benchmark.growth_mib(b"", 1)


def test_scaling_draws_a_square_and_reads_what_processes_say(figures, tmp_path, monkeypatch):
    scaling.picture(tmp_path / "a.npy", 300)
    assert np.load(tmp_path / "a.npy").shape == (300, 300, 3)
    calls = []

    def run(*arguments: str):
        calls.append(arguments)
        if arguments[0] == "encode":
            Path(arguments[3]).write_bytes(bytes(2000))
        return 1.5, None, "a.ncr -> b.npy: 5x5, 500 of 2000 bytes read, 1 s"

    monkeypatch.setattr(scaling, "run_nacre", run)
    found = figures(scaling, "--megapixels", "0.01", "--effort", "0")
    assert [call[0] for call in calls] == ["encode", "decode", "decode"]
    assert found["sizes"][0]["region_bytes_read"] == 500
    assert "| 0.01 | 0.00 | 1.5 | | 1.5 | | 1.5 | 25% |" in scaling.table(found)


def test_scaling_runs_nacre_in_a_process():
    seconds, peak, line = scaling.run_nacre("models")
    assert (
        seconds > 0 and (peak is None or peak > 5) and line.startswith("wavelet-4 ")
    )  # the last one


def test_efforts_and_rows_that_are_added(figures, picture, tmp_path):
    options = [picture, "--qualities", "30", "60", "--crop", "48"]
    found = figures(efforts, *options, "--efforts", "0", "1")
    assert [row["effort"] for row in found["efforts"]] == [0, 1]
    assert found["efforts"][0]["bd_rate_percent"] == 0
    svg = tmp_path / "a.svg"
    found = figures(efforts, *options, "--efforts", "2", "--svg", str(svg))
    assert [row["effort"] for row in found["efforts"]] == [0, 1, 2]
    assert svg.read_text().startswith("<svg")


def test_targets(figures, picture):
    found = figures(targets, picture, "--bpp", "0.001", "2", "--effort", "0")
    hopeless, met = found["targets"]
    assert list(hopeless["refused"]) == ["a.png"] and not hopeless["files"]
    assert met["files"][0]["under_percent"] >= 0


def test_truncation(figures, picture, monkeypatch):
    monkeypatch.setattr(truncation, "CURVE", (1, 60))
    found = figures(truncation, picture, "--qualities", "60")
    assert {row["share"] for row in found["cuts"]} <= set(truncation.SHARES)
    assert len(found["layer_costs"]) == 1


def test_a_file_cut_in_its_head_has_no_psnr(photo):
    out = io.BytesIO(codec.encode(photo, quality=30))
    assert truncation.cut(out.getvalue(), 0.01, np.asarray(photo)) is None


@pytest.fixture
def in_process(monkeypatch) -> None:
    """Lets the script of the study run here, with weights loaded anew, and not in processes of its own."""
    monkeypatch.setattr(zoo, "_models", OrderedDict())
    monkeypatch.setattr(weights_file, "unpack", weights_file.unpack)  # a setting replaces it

    def run(setting, mode, source, target, qualities) -> None:
        environment, code = portability.SETTINGS[setting]
        assert not environment
        zoo._models.clear()
        monkeypatch.setattr(sys, "argv", ["", mode, str(source), str(target), *map(str, qualities)])
        exec(portability.SCRIPT.format(setting=code), {})

    monkeypatch.setattr(portability, "run", run)


@pytest.mark.usefixtures("in_process")
def test_portability(figures, picture):
    settings = ["as it is", "contiguous memory"]
    found = figures(portability, picture, "--qualities", "30", "--settings", *settings)
    assert [row["setting"] for row in found["settings"]] == settings
    assert max(row["largest_difference_levels"] for row in found["settings"]) <= 1


def test_ablation(figures, learned, monkeypatch):
    monkeypatch.chdir(learned)
    monkeypatch.setattr(ablation, "CROP", 64)
    found = figures(ablation, "run", "--minutes", "0.002")
    assert min(found[name]["steps"] for name in ("with", "without")) >= 1
    assert len(ablation.changes(found)) == len(ablation.EVALUATED_T)

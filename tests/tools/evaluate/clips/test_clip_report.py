"""Tables, plots over frames and the player show what was measured."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from nacre.tools.evaluate import bench, report
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.clips import player
from nacre.tools.evaluate.clips.inputs import ClipSet
from nacre.tools.evaluate.clips.player import frame_plots, matched, play, shown_clips
from nacre.tools.evaluate.clips.reading import ClipInput
from nacre.tools.evaluate.curves import curves_of
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.results import read_evaluation, table
from nacre.tools.evaluate.summary import lines, matrix_table, spread_table
from tests.codec.clips.made import Making, make

ANCHOR = "uvg-yuv420:vtm-17.0-lowdelay-b"


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipSet:
    folder = tmp_path_factory.mktemp("set")
    making = Making("ffv1", width=64, height=48, pts=range(0, 8 * 3000, 3000))
    made = [make(folder / f"{name}.mkv", making) for name in ("<a>", "b")]
    return ClipSet(tuple(ClipInput(str(path), 6 - i) for i, path in enumerate(made)), gop=4)


@pytest.fixture(scope="module")
def summary(clips, tmp_path_factory):
    """The evaluation and its file."""
    qualities = {"x264-medium-lowdelay": (40.0, 30.0, 20.0), "vp9-8": (60.0, 40.0, 20.0)}
    path = tmp_path_factory.mktemp("out") / "r.json"
    plan = Plan(clips.folder, (*qualities, "aom"), qualities, path, clips=clips)
    return bench.run(plan, Listener(lambda line: None, lambda *what: None)), path


@pytest.fixture(scope="module")
def found(summary):
    return summary[0]


@pytest.fixture(scope="module")
def page(found, clips):
    return report.page(found, [ANCHOR], shown_clips(found, clips))


def test_results_survive_the_file(summary):
    found, path = summary
    assert read_evaluation(path) == found
    raw = json.loads(path.read_text())
    assert raw["codecs"][0]["psnr_yuv"] == found.codecs[0].means()["psnr_yuv"]
    assert [len(row["frames"]) for row in raw["codecs"][0]["rows"]] == [6] * 3 + [5] * 3
    assert raw["pictures"]["b.mkv"]["clip"] == {"frames": 5, "rate": 30.0}


def test_what_was_measured_is_not_measured_again(summary, clips):
    found, path = summary
    done: list[object] = []
    listener = Listener(lambda line: None, lambda *what: done.append(what))
    qualities = {codec.codec: tuple(r.quality for r in codec.rows) for codec in found.codecs}
    plan = Plan(clips.folder, tuple(qualities), qualities, path, clips=clips)
    assert bench.run(plan, listener).codecs == found.codecs and done == []
    other = ClipSet(clips.clips, gop=2)
    bench.run(Plan(clips.folder, ("vp9-8",), {"vp9-8": (60.0,)}, path, clips=other), listener)
    assert done == [("vp9-8", 1, 2), ("vp9-8", 2, 2)]


def test_the_table_has_what_clips_have(found):
    head, _, first, *_ = table(found.codecs).splitlines()
    assert "PSNR YUV, dB" in head and "frames/s" not in head  # without --timing
    means = found.codecs[0].means()
    assert f"| {means['psnr_rgb'][0]:.2f} | {means['psnr_yuv'][0]:.2f} |" in first


def test_curves_are_over_clips_by_both_metrics(found):
    for metric in ("psnr_yuv", "psnr_rgb"):
        measured = curves_of(found.codecs[0], metric)
        assert set(measured.pictures) == {"<a>.mkv", "b.mkv"}
        np.testing.assert_allclose(measured.curve.quality, found.codecs[0].means()[metric])
    assert [line.key for line in lines(found, [ANCHOR], "psnr_yuv")][-1] == ANCHOR
    assert len(lines(found, [ANCHOR], "psnr_rgb")) == 2
    assert matrix_table(found, [ANCHOR], "psnr_yuv").startswith("| BD-rate by PSNR (YUV 6:1:1), %")
    assert "clip by clip" in spread_table(found)


def test_matched_rows_lie_near_each_other(found):
    rows = matched(found, "b.mkv")
    sizes = {c.codec: [r.bytes for r in c.rows if r.picture == "b.mkv"] for c in found.codecs}
    apart = [abs(np.log(a / b)) for a in sizes["x264-medium-lowdelay"] for b in sizes["vp9-8"]]
    a, b = (rows[codec].bytes for codec in sizes)
    assert abs(np.log(a / b)) == pytest.approx(min(apart))
    alone = replace(found, codecs=found.codecs[:1])
    assert matched(alone, "b.mkv")["x264-medium-lowdelay"].bytes == max(
        sizes["x264-medium-lowdelay"]
    )
    assert matched(found, "c.mkv") == {}


def test_plots_over_frames_are_those_of_the_rows(found):
    bits, psnr = frame_plots(found, "b.mkv")
    rows = matched(found, "b.mkv")
    for series in bits[1]:
        assert series.y == [8 * frame.bytes for frame in rows[series.key].frames]
    for series in psnr[1]:
        assert list(series.x) == [0, 1, 2, 3, 4]
        y, u, v = (
            rows[series.key].frames[2].psnr_y,
            *(getattr(rows[series.key].frames[2], name) for name in ("psnr_cb", "psnr_cr")),
        )
        assert series.y[2] == pytest.approx((6 * y + u + v) / 8)


def test_the_player_shows_the_frames_of_the_file(found, clips, monkeypatch):
    monkeypatch.setattr(player, "WEBP", {"lossless": True, "exact": True})
    monkeypatch.setattr(player, "LARGEST", (32, 40))
    shown = play(found, clips, "b.mkv")
    assert (shown.width, shown.height, shown.rate) == (32, 40, 30)
    assert [side.label for side in shown.sides] == ["original", *(c.name for c in found.codecs)]
    original = [frame.pixels for frame in clips.named("b.mkv").read()]
    for side in shown.sides:
        pixels = [np.asarray(opened(url)) for url in side.urls]
        assert len(pixels) == len(side.frames) == 5
        for i, (a, b) in enumerate(zip(pixels, original, strict=True)):
            psnr = psnr_db(a, b[4:44, 16:48])
            assert psnr == 99 if side.label == "original" else 20 < psnr < 60, (side.label, i)
    row = matched(found, "b.mkv")["vp9-8"]
    assert f"{row.bytes:,} bytes" in shown.sides[2].said
    assert f"{row.frames[3].bytes:,} bytes" in shown.sides[2].frames[3]


def test_the_player_shows_so_many_frames_at_most(found, clips, monkeypatch):
    monkeypatch.setattr(player, "MOST", 2)
    assert {len(side.urls) for side in play(found, clips, "<a>.mkv").sides} == {2}


def test_a_codec_that_breaks_is_left_out_of_the_player(found, clips, monkeypatch):
    of = player.codec_of
    monkeypatch.setattr(
        player, "codec_of", lambda name, _: of(name, _) if name == "vp9-8" else 1 / 0
    )
    assert len(play(found, clips, "b.mkv").sides) == 2


def opened(url: str) -> Image.Image:
    data = base64.b64decode(url.removeprefix("data:image/webp;base64,"))
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_the_page_has_plots_and_player_and_needs_nothing_else(page, found):
    assert "<a>" not in page
    drawn = re.findall(r'<figure class="plot" data-before="frame ">.*?(<svg.*?</svg>)', page, re.S)
    assert len(drawn) == 2
    groups = ET.fromstring(drawn[1]).findall(".//{http://www.w3.org/2000/svg}g")
    assert [g.get("data-series") for g in groups] == [c.codec for c in found.codecs]
    assert len(groups[0].get("data-points").split()) == 6
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    (shown,) = json.loads(data)
    assert shown["picture"] == "<a>.mkv" and [len(s["urls"]) for s in shown["sides"]] == [6] * 3
    assert 'id="player"' in page and "aom skipped: this PyAV was built without" in page
    assert page.count("<h3>PSNR") == 2 and "VTM 17.0 low-delay B: published" in page
    without_data = re.sub(r"data:image/webp;base64,[\w+/=]+", "", page)
    assert set(re.findall(r"https?://[^\s\"']+", without_data)) == {"http://www.w3.org/2000/svg"}

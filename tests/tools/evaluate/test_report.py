"""The page and the tables show what was measured; the page loads nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from nacre.tools.evaluate import bench, report
from nacre.tools.evaluate.bdrate import bd_rate
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.codecs.pillow import Jpeg
from nacre.tools.evaluate.curves import curves_of
from nacre.tools.evaluate.plot import Axes, Series, draw
from nacre.tools.evaluate.results import Failure
from nacre.tools.evaluate.side_by_side import Side, SideBySide, compare
from nacre.tools.evaluate.summary import lines, matrix_table, spread_table

ANCHORS = ["kodak:vtm-18.0", "kodak:hpcm-large_ms-ssim"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo):
    inside = tmp_path_factory.mktemp("set")
    for i in range(3):
        photo.rotate(90 * i, expand=True).save(inside / f"<{i}>.png")
    return inside


@pytest.fixture(scope="module")
def found(folder):
    qualities = {"jpeg": (10.0, 30.0, 60.0, 90.0), "webp": (5.0, 40.0, 80.0, 95.0)}
    quiet = Listener(lambda line: None, lambda *what: None)
    return bench.run(Plan(folder, ("webp", "jpeg"), qualities, is_timed=True), quiet)


@pytest.fixture(scope="module")
def page(found, folder):
    return report.page(found, ANCHORS, [compare(found, folder / "<1>.png")])


def test_the_page_needs_nothing_from_anywhere(page):
    assert "default-src 'none'" in page
    without_data = re.sub(r"data:image/webp;base64,[\w+/=]+", "", page)
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", without_data)
    assert [link for link in links if not link.startswith(("#", "a.url", "b.url"))] == []
    assert set(re.findall(r"https?://[^\s\"']+", without_data)) == {"http://www.w3.org/2000/svg"}


def test_names_cannot_break_the_page(page):
    assert "<1>" not in page
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert json.loads(data)[0]["picture"] == "<1>.png"


class Elements(HTMLParser):
    """Collects the elements, texts and attribute values of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value or "" for _, value in attributes]

    def handle_data(self, data):
        if self.tags[-1:] != ["script"]:
            self.values.append(data)


@pytest.mark.parametrize(
    "hostile",
    ["<b>x</b>", "a & b &amp;", '"x" onload="y', "'x' onload='y", "</script><i>", "{{ 7 * 7 }}"],
)
def test_any_text_is_shown_as_it_is(found, hostile):
    """Wherever foreign text is shown, it adds no element and is shown unchanged."""

    def named(text):
        first, *others = found.codecs
        first = replace(
            first, name=text, codec=text, settings=text, version=text,
            rows=[replace(row, picture=text) if row.picture == "<0>.png" else row for row in first.rows],
            failures=[Failure(text, 1.0, text)],
        )  # fmt: skip
        bad = replace(
            found, dataset=text, codecs=[first, *others], skipped={text: text}, unreadable={text: text},
            machine=replace(found.machine, processor=text),
        )  # fmt: skip
        side = Side(text, text, ("data:,",))
        return report.page(bad, [], [SideBySide(text, 1, 1, (side, side))])

    plain, seen = Elements(named("plain")), Elements(named(hostile))
    assert seen.tags == plain.tags
    counts = [
        sum(text in value for value in made.values)
        for text, made in (("plain", plain), (hostile, seen))
    ]
    assert counts[0] == counts[1] > 20
    (data,) = re.findall(r'id="data">(.*?)</script>', named(hostile), re.S)
    assert json.loads(data)[0]["sides"][0]["label"] == hostile


@pytest.mark.parametrize("hostile", ["<b>", "a & b", "\"x\" y='z'", "bell \a"])
def test_any_text_can_be_in_a_plot(hostile):
    series = [Series(hostile, hostile, [1, 2], [3, 4])]
    root = ET.fromstring(draw(series, Axes(hostile, hostile), {hostile: 0}, has_legend=True))
    texts = [t.text for t in root.findall(".//{http://www.w3.org/2000/svg}text")]
    shown = hostile.replace("\a", "\ufffd")
    assert texts.count(shown) == 3
    assert root.find(".//{http://www.w3.org/2000/svg}g").get("data-series") == shown


def test_the_matrix_is_that_of_the_curves(found):
    rows = [r.split("|")[1:-1] for r in matrix_table(found, ANCHORS).splitlines()]
    names = [cell.strip() for cell in rows[0][1:]]
    assert names == ["against WebP 4:2:0", "JPEG 4:4:4", "VTM 18.0"]  # the other has no PSNR
    webp, jpeg = (curves_of(codec).curve for codec in found.codecs)
    assert rows[2][1].strip() == "+0.0"
    assert rows[3][1].strip() == f"{bd_rate(webp, jpeg).value:+.1f}"
    assert [line.key for line in lines(found, ANCHORS, "ms_ssim")] == [ANCHORS[1]]


def test_the_spread_names_the_worst_pictures(found):
    webp, jpeg = (curves_of(codec) for codec in found.codecs)
    values = {
        name: bd_rate(webp.pictures[name], jpeg.pictures[name]).value for name in found.pictures
    }
    worst = max(values, key=values.get)
    last = spread_table(found).splitlines()[-1]
    assert f"{np.median(list(values.values())):+.1f} %" in last
    assert f"| {worst} {values[worst]:+.0f} %" in last


def test_sides_are_pictures_of_about_one_size(found, folder):
    shown = compare(found, folder / "<0>.png")
    assert [side.label for side in shown.sides] == ["original", "WebP 4:2:0", "JPEG 4:4:4"]
    sizes = [int(side.said.split()[0].replace(",", "")) for side in shown.sides[1:]]
    assert max(sizes) < 1.25 * min(sizes)
    for side in shown.sides:
        data = base64.b64decode(side.urls[0].partition(",")[2])
        assert Image.open(io.BytesIO(data)).size == (shown.width, shown.height) == (112, 96)
    original = base64.b64decode(shown.sides[0].urls[0].partition(",")[2])
    assert (
        Image.open(io.BytesIO(original)).convert("RGB").tobytes()
        == Image.open(folder / "<0>.png").tobytes()
    )


def test_the_plot_for_papers_is_an_svg_of_the_points(found):
    svg = report.paper_plot(found, ANCHORS)
    root = ET.fromstring(svg)
    groups = root.findall(".//{http://www.w3.org/2000/svg}g")
    assert [g.get("data-series") for g in groups] == ["webp", "jpeg", "kodak:vtm-18.0"]
    told = [tuple(map(float, p.split(",")[2:])) for p in groups[1].get("data-points").split()]
    means = found.codecs[1].means()
    np.testing.assert_allclose(
        told, list(zip(means["bpp"], means["psnr_rgb"], strict=True)), rtol=1e-4
    )
    texts = [t.text for t in root.findall(".//{http://www.w3.org/2000/svg}text")]
    assert {"bits per pixel", "JPEG 4:4:4", "VTM 18.0"} <= set(texts)


def test_higher_is_higher_and_later_is_further_right(found):
    root = ET.fromstring(report.paper_plot(found, []))
    for group in root.findall(".//{http://www.w3.org/2000/svg}g"):
        points = np.array(
            [list(map(float, p.split(","))) for p in group.get("data-points").split()]
        )
        assert (np.diff(points[:, 0]) > 0).all() and (np.diff(points[:, 1]) < 0).all()


def test_every_measurement_is_in_the_page(page, found):
    for result in found.codecs:
        for row in result.rows:
            assert (
                f"<td>{row.bytes:,}</td><td>{row.bpp:.4f}</td><td>{row.psnr_rgb:.3f}</td>" in page
            )


def test_what_was_left_out_is_told(found):
    bad = replace(found, skipped={"vtm": "no <EncoderAppStatic>"}, unreadable={"x.png": "cut"})
    text = report.page(bad, [])
    assert "vtm skipped: no &lt;EncoderAppStatic&gt;" in text and "x.png left out: cut" in text


def test_a_codec_that_breaks_is_left_out_of_the_sides(found, folder, monkeypatch):
    """The report comes after hours of measuring: it must not be lost then."""

    def broken(*_):
        raise RuntimeError("library")

    monkeypatch.setattr(Jpeg, "_encode", broken)
    shown = compare(found, folder / "<0>.png")
    assert [side.label for side in shown.sides] == ["original", "WebP 4:2:0"]

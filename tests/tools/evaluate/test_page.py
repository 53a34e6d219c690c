"""The report in a real browser: `make test-browser` (Chromium, driven by Playwright)."""

from __future__ import annotations

import pytest

from nacre.tools.evaluate import bench, report
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.side_by_side import compare
from tests.tools.evaluate.browser import opened

SCREENS = [(1280, 900), (390, 844)]


@pytest.fixture(scope="module")
def path(tmp_path_factory, photo):
    folder = tmp_path_factory.mktemp("set")
    for i in range(2):
        photo.rotate(180 * i).save(folder / f"{i}.png")
    qualities = {"jpeg": (10.0, 40.0, 90.0), "webp": (5.0, 50.0, 95.0)}
    quiet = Listener(lambda line: None, lambda *what: None)
    found = bench.run(Plan(folder, ("webp", "jpeg"), qualities, is_timed=True), quiet)
    path = tmp_path_factory.mktemp("out") / "report.html"
    shown = [compare(found, folder / f"{i}.png") for i in range(2)]
    path.write_text(report.page(found, ["kodak:vtm-18.0"], shown))
    return path


@pytest.fixture(params=SCREENS, ids=["desk", "phone"])
def page(request, path):
    with opened(path, request.param) as page:
        yield page


def test_plots_are_seen_and_fit_the_screen(page):
    boxes = [p.bounding_box() for p in page.locator(".plot svg:visible").all()]
    assert len(boxes) == 3  # PSNR and two of seconds: the pictures are too small for MS-SSIM
    width = page.viewport_size["width"]
    assert all(b["height"] > 150 and b["x"] >= 0 and b["x"] + b["width"] <= width for b in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_rate_axis_changes(page):
    page.locator("#scale").check()
    assert page.locator(".plot .log svg:visible").count() == 3
    assert page.locator(".plot .linear svg:visible").count() == 0


def test_a_codec_is_hidden_and_shown_in_all_plots(page):
    lines = page.locator('.plot .linear g[data-series="jpeg"]:visible')
    assert lines.count() == 3
    button = page.locator('#legend button[data-series="jpeg"]')
    button.click()
    assert lines.count() == 0 and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert lines.count() == 3


def test_a_point_is_told_under_the_pointer(page):
    svg = page.locator(".plot .linear svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    point = svg.locator('g[data-series="jpeg"]').get_attribute("data-points").split()[1]
    x, y, rate, value = map(float, point.split(","))
    scale = box["width"] / 720
    page.mouse.move(box["x"] + x * scale, box["y"] + y * scale)
    assert page.locator("#tip").inner_text() == f"JPEG 4:4:4: {value:#.4g} at {rate:#.3g} bpp"
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert page.locator("#tip").is_hidden()


def test_the_slider_moves(page):
    slider = page.locator("#slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box["width"] > 50 and box["height"] > 50
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    clip = page.locator("#over").evaluate("e => parseFloat(e.style.clipPath.split(' ')[1])")
    assert 70 < clip < 80
    slider.press("ArrowRight")
    assert page.locator("#over").evaluate("e => parseFloat(e.style.clipPath.split(' ')[1])") < clip


def test_other_pictures_and_codecs_are_chosen(page):
    before = page.locator("#over").get_attribute("src")
    assert page.locator("#said").inner_text().startswith("Left: WebP")
    page.locator("#picture").select_option("1")
    assert page.locator("#over").get_attribute("src") != before
    page.locator("#left").select_option(label="original")
    assert page.locator("#said").inner_text().startswith("Left: original, 112x96")
    assert page.evaluate("document.getElementById('over').naturalWidth") == 112

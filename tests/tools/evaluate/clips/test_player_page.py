"""The player of the report in a real browser: `make test-browser`."""

from __future__ import annotations

import pytest

from nacre.tools.evaluate import bench, report
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.clips.inputs import ClipSet
from nacre.tools.evaluate.clips.player import shown_clips
from nacre.tools.evaluate.clips.reading import ClipInput
from tests.codec.clips.made import Making, make
from tests.tools.evaluate.browser import opened

FRAMES = 8
SCREENS = [(1280, 900), (390, 844)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    pts = range(0, FRAMES * 6000, 6000)
    for name in ("a", "b"):
        making = Making("ffv1", width=96, height=64, pts=pts[: FRAMES - (name == "b")])
        make(folder / f"{name}.mkv", making)
    clips = ClipSet(tuple(ClipInput(str(folder / f"{name}.mkv")) for name in ("a", "b")))
    qualities = {"x264": (45.0, 30.0), "vp9-8": (60.0, 30.0)}
    quiet = Listener(lambda line: None, lambda *what: None)
    found = bench.run(Plan(folder, tuple(qualities), qualities, clips=clips), quiet)
    path = tmp_path_factory.mktemp("out") / "report.html"
    path.write_text(report.page(found, [], shown_clips(found, clips, ["a.mkv", "b.mkv"])))
    return path


@pytest.fixture(params=SCREENS, ids=["desk", "phone"])
def page(request, path):
    with opened(path, request.param) as page:
        yield page


def number(page) -> str:
    return page.locator("#number").inner_text()


def sources(page) -> tuple[str, str]:
    return tuple(page.locator(f"#{name}").get_attribute("src") for name in ("over", "under"))


def wait(page, condition: str) -> None:
    """Playwright's own wait evaluates text in the page, which the policy of the page forbids."""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(10)
    raise AssertionError(condition)


def test_the_arrow_keys_step_and_go_round(page):
    assert number(page) == f"1 of {FRAMES}"
    first = sources(page)
    page.keyboard.press("ArrowRight")
    second = sources(page)
    assert number(page) == f"2 of {FRAMES}" and first[0] != second[0] and first[1] != second[1]
    page.keyboard.press("ArrowLeft")
    assert number(page) == f"1 of {FRAMES}" and sources(page) == first
    page.keyboard.press("ArrowLeft")
    assert number(page) == f"{FRAMES} of {FRAMES}"


def test_the_slider_of_frames_steps_and_that_of_sides_does_not(page):
    page.locator("#frame").fill("4")
    assert number(page) == f"5 of {FRAMES}"
    page.locator("#frame").press("ArrowRight")
    assert number(page) == f"6 of {FRAMES}"
    page.locator("#slider").press("ArrowRight")
    assert number(page) == f"6 of {FRAMES}"


def test_the_frames_play_until_they_are_stopped(page):
    page.locator("#play").click()
    wait(page, "document.getElementById('frame').value > 2")
    assert page.locator("#play").inner_text() == "Pause"
    page.locator("#play").click()
    stopped = number(page)
    page.wait_for_timeout(400)
    assert number(page) == stopped and page.locator("#play").inner_text() == "Play"


def test_the_figures_of_the_frame_are_told(page):
    said = page.locator("#said").inner_text()
    assert said.startswith("Left: H.264") and said.count("this frame") == 2
    page.keyboard.press("ArrowRight")
    assert page.locator("#said").inner_text() != said


def test_another_clip_starts_at_its_first_frame(page):
    page.locator("#frame").fill("4")
    before = sources(page)
    page.locator("#picture").select_option("1")
    assert number(page) == f"1 of {FRAMES - 1}" and sources(page) != before
    page.locator("#left").select_option(label="original")
    assert page.locator("#said").inner_text().startswith("Left: original, 96x64, 30 frames/s.")
    wait(page, "document.getElementById('over').naturalWidth == 96")


def test_plots_over_frames_fit_and_tell_the_frame(page):
    drawn = page.locator("#frames .plot svg")
    assert drawn.count() == 4
    width = page.viewport_size["width"]
    box = drawn.first.bounding_box()
    assert box["height"] > 150 and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    drawn.first.scroll_into_view_if_needed()
    box = drawn.first.bounding_box()
    points = drawn.first.locator('g[data-series="x264"]').get_attribute("data-points").split()
    x, y, _, value = map(float, points[5].split(","))
    page.mouse.move(box["x"] + x * box["width"] / 720, box["y"] + y * box["width"] / 720)
    told = page.locator("#tip").inner_text()
    assert told.endswith(" at frame 5") and f": {value:#.4g}".rstrip(".") in told

"""Curves as SVG, for papers and for the report, whose script reads the data attributes of the groups."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 720, 460  # units of the viewBox
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44  # margins
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#000000", "#e69f00",
           "#7f3c8d", "#4b6a53")  # fmt: skip # Okabe and Ito, and four more
SHAPES = ("circle", "square", "triangle", "diamond")
MARK = 3.2  # half a side
DASH = {"stroke_dasharray": "5 4"}  # of published curves
SAMPLE = (28, 12)  # width and height of a piece of a line in a legend
SVG = "http://www.w3.org/2000/svg"
NOT_XML = re.compile(
    "[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
)  # XML 1.0, item 2.2
TICKS = 7  # on an axis, about


@dataclass(frozen=True)
class Series:
    """A named line. Measured lines have marks, published lines are dashed."""

    key: str
    label: str
    x: Sequence[float]
    y: Sequence[float]
    is_published: bool = False


@dataclass(frozen=True)
class Axes:
    x_label: str
    y_label: str
    is_x_log: bool = False
    is_y_log: bool = False


def draw(
    series: Sequence[Series], axes: Axes, styles: dict[str, int], has_legend: bool = False
) -> str:
    """Return an <svg> element. `styles` numbers the keys, so that a codec has one colour in all drawings.

    With a legend the drawing is black, for use alone; without one it has the colour of the surrounding text.
    """
    series = [s for s in series if len(s.x)]
    xs, ys = ([v for s in series for v in values(s)] for values in (lambda s: s.x, lambda s: s.y))
    x_axis = _Scale.over(xs, axes.is_x_log, LEFT, WIDTH - RIGHT)
    y_axis = _Scale.over(ys, axes.is_y_log, HEIGHT - BOTTOM, TOP)
    facts = {
        "role": "img",
        "aria-label": f"{axes.y_label} over {axes.x_label}",
        "font-family": "sans-serif",
        "font-size": "12",
        "fill": "black" if has_legend else "currentColor",
    }
    svg = _svg(WIDTH, HEIGHT, facts)
    for value, text in x_axis.ticks():
        at = x_axis(value)
        _line(svg, at, TOP, at, HEIGHT - BOTTOM)
        _text(svg, text, x=f"{at:.1f}", y=HEIGHT - BOTTOM + 16, text_anchor="middle")
    for value, text in y_axis.ticks():
        at = y_axis(value)
        _line(svg, LEFT, at, WIDTH - RIGHT, at)
        _text(svg, text, x=LEFT - 6, y=f"{at + 4:.1f}", text_anchor="end")
    middle = (LEFT + WIDTH - RIGHT) / 2
    _text(svg, axes.x_label, x=middle, y=HEIGHT - 8, text_anchor="middle")
    place = f"translate(14 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)"
    _text(svg, axes.y_label, transform=place, text_anchor="middle")
    for s in series:
        _curve(svg, s, x_axis, y_axis, styles[s.key])
    if has_legend:
        _legend(svg, series, styles)
    return ET.tostring(svg, encoding="unicode")


def sample(style: int, is_published: bool) -> str:
    """Return a short piece of a line as an <svg> element, for a legend outside the drawing."""
    width, height = SAMPLE
    svg = _svg(width, height, {"width": str(width), "height": str(height), "aria-hidden": "true"})
    _sample(svg, style, is_published, 0, width, height / 2)
    return ET.tostring(svg, encoding="unicode")


def _svg(width: int, height: int, facts: dict[str, str]) -> ET.Element:
    shown = {key: _printable(value) for key, value in facts.items()}
    return ET.Element("svg", {"xmlns": SVG, "viewBox": f"0 0 {width} {height}", **shown})


def _add(parent: ET.Element, tag: str, **facts: object) -> ET.Element:
    named = {key.replace("_", "-"): _printable(str(value)) for key, value in facts.items()}
    return ET.SubElement(parent, tag, named)


def _text(parent: ET.Element, text: str, **facts: object) -> None:
    _add(parent, "text", **facts).text = _printable(text)


def _printable(text: str) -> str:
    """Replace characters that XML cannot hold."""
    return NOT_XML.sub("\ufffd", text)


def _legend(svg: ET.Element, series: Sequence[Series], styles: dict[str, int]) -> None:
    """Write the names beside their lines, at the lower right."""
    for i, s in enumerate(series):
        y = HEIGHT - BOTTOM - 12 - 16 * (len(series) - 1 - i)
        _sample(svg, styles[s.key], s.is_published, WIDTH - RIGHT - 34, WIDTH - RIGHT - 6, y - 4)
        place = WIDTH - RIGHT - 40
        _text(svg, s.label, x=place, y=y, text_anchor="end", font_size=11)


def _sample(
    parent: ET.Element, style: int, is_published: bool, left: float, right: float, y: float
) -> None:
    colour, shape = _style(style)
    dash = DASH if is_published else {}
    _add(parent, "line", x1=left, x2=right, y1=y, y2=y, stroke=colour, stroke_width=1.8, **dash)
    if not is_published:
        _mark(parent, shape, (left + right) / 2, y, colour)


def _curve(parent: ET.Element, series: Series, x_axis: _Scale, y_axis: _Scale, style: int) -> None:
    """Add a curve as a group whose data attributes describe it to the script of the page."""
    colour, shape = _style(style)
    order = np.argsort(series.x, kind="stable")
    points = [(x_axis(series.x[i]), y_axis(series.y[i]), i) for i in order]
    data = " ".join(f"{x:.1f},{y:.1f},{series.x[i]:.5g},{series.y[i]:.5g}" for x, y, i in points)
    group = _add(parent, "g", data_series=series.key, data_label=series.label, data_points=data)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dash = DASH if series.is_published else {}
    _add(group, "polyline", points=path, fill="none", stroke=colour, stroke_width=1.6, **dash)
    if not series.is_published:
        for x, y, _ in points:
            _mark(group, shape, x, y, colour)


def _style(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]


def _line(parent: ET.Element, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    places = {key: f"{value:.1f}" for key, value in ends.items()}
    _add(parent, "line", **places, stroke="#888", stroke_opacity=0.3)


def _mark(parent: ET.Element, shape: str, x: float, y: float, colour: str) -> None:
    m = MARK
    if shape == "circle":
        _add(parent, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=m, fill=colour)
        return
    corners = {
        "square": [(-m, -m), (m, -m), (m, m), (-m, m)],
        "triangle": [(0, -m * 1.2), (m * 1.2, m), (-m * 1.2, m)],
        "diamond": [(0, -m * 1.4), (m * 1.4, 0), (0, m * 1.4), (-m * 1.4, 0)],
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    _add(parent, "polygon", points=points, fill=colour)


@dataclass(frozen=True)
class _Scale:
    """Maps values to places along an axis."""

    low: float
    high: float
    is_log: bool
    start: float  # place of low
    end: float

    @classmethod
    def over(cls, values: Sequence[float], is_log: bool, start: float, end: float) -> _Scale:
        low, high = min(values, default=0.0), max(values, default=1.0)
        if is_log:
            low, high = max(low, 1e-9) * 0.92, max(high, 1e-9) * 1.08
        else:
            space = (high - low or 1.0) * 0.03
            low, high = (0.0 if 0 <= low < (high - low) / 2 else low - space), high + space
        return cls(low, high, is_log, start, end)

    def __call__(self, value: float) -> float:
        if self.is_log:
            value = max(value, 1e-9)
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
            found = [m * 10.0**d for d in decades for m in (1, 2, 5)]
        else:
            raw = (self.high - self.low) / TICKS
            power = 10.0 ** math.floor(math.log10(raw))
            step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
            first = math.ceil(self.low / step)
            found = [i * step for i in range(first, math.floor(self.high / step) + 1)]
        return [(v, f"{v:.6g}") for v in found if self.low <= v <= self.high]

"""Curves as SVG: one drawing for papers and for the page, where a script makes it answer to the pointer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 720, 460  # of the drawing; it scales
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44  # margins
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#000000", "#e69f00",
           "#7f3c8d", "#4b6a53")  # fmt: skip # Okabe and Ito, and four more
SHAPES = ("circle", "square", "triangle", "diamond")
MARK = 3.2  # half a side
DASH = ' stroke-dasharray="5 4"'  # of published curves
TICKS = 7  # about as many on an axis


@dataclass(frozen=True)
class Series:
    """A named line. Measured ones have marks, published ones are dashed."""

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


def draw(series: Sequence[Series], axes: Axes, styles: dict[str, int]) -> str:
    """An <svg> element. `styles` numbers the keys, so that a codec has one colour in all drawings."""
    series = [s for s in series if len(s.x)]
    xs, ys = ([v for s in series for v in values(s)] for values in (lambda s: s.x, lambda s: s.y))
    x_axis = _Scale.over(xs, axes.is_x_log, LEFT, WIDTH - RIGHT)
    y_axis = _Scale.over(ys, axes.is_y_log, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(axes.y_label)} over {escape(axes.x_label)}" '
        'font-family="sans-serif" font-size="12" fill="currentColor">'
    ]
    for value, text in x_axis.ticks():
        at = x_axis(value)
        parts.append(_line(at, TOP, at, HEIGHT - BOTTOM))
        parts.append(
            f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'
        )
    for value, text in y_axis.ticks():
        at = y_axis(value)
        parts.append(_line(LEFT, at, WIDTH - RIGHT, at))
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes.x_label)}</text>'
    )
    parts.append(
        f'<text transform="translate(14 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(axes.y_label)}</text>'
    )
    parts += [_drawn(s, x_axis, y_axis, styles[s.key]) for s in series]
    return "".join([*parts, "</svg>"])


def with_legend(svg: str, series: Sequence[Series], styles: dict[str, int]) -> str:
    """For papers: the names beside their lines, at the lower right."""
    rows = []
    for i, s in enumerate(series):
        y = HEIGHT - BOTTOM - 12 - 16 * (len(series) - 1 - i)
        drawn = sample(styles[s.key], s.is_published, WIDTH - RIGHT - 34, WIDTH - RIGHT - 6, y - 4)
        rows.append(
            f'{drawn}<text x="{WIDTH - RIGHT - 40}" y="{y}" text-anchor="end" font-size="11">'
            f"{escape(s.label)}</text>"
        )
    return svg.replace('fill="currentColor">', 'fill="black">', 1).replace(
        "</svg>", "".join(rows) + "</svg>"
    )


def sample(style: int, is_published: bool, left: float, right: float, y: float) -> str:
    """A short piece of a line, for legends."""
    colour, shape = _style(style)
    mark = "" if is_published else _mark(shape, (left + right) / 2, y, colour)
    return (
        f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="{colour}" '
        f'stroke-width="1.8"{DASH if is_published else ""}/>{mark}'
    )


def _drawn(series: Series, x_axis: _Scale, y_axis: _Scale, style: int) -> str:
    colour, shape = _style(style)
    order = np.argsort(series.x, kind="stable")
    points = [(x_axis(series.x[i]), y_axis(series.y[i]), i) for i in order]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dash = DASH if series.is_published else ""
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
    marks = "" if series.is_published else "".join(_mark(shape, x, y, colour) for x, y, _ in points)
    data = " ".join(f"{x:.1f},{y:.1f},{series.x[i]:.5g},{series.y[i]:.5g}" for x, y, i in points)
    return (
        f'<g data-series="{escape(series.key)}" data-label="{escape(series.label)}" data-points="{data}">'
        f"{line}{marks}</g>"
    )


def _style(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#888" '
        'stroke-opacity="0.3"/>'
    )


def _mark(shape: str, x: float, y: float, colour: str) -> str:
    m = MARK
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{m}" fill="{colour}"/>'
    corners = {
        "square": [(-m, -m), (m, -m), (m, m), (-m, m)],
        "triangle": [(0, -m * 1.2), (m * 1.2, m), (-m * 1.2, m)],
        "diamond": [(0, -m * 1.4), (m * 1.4, 0), (0, m * 1.4), (-m * 1.4, 0)],
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'


@dataclass(frozen=True)
class _Scale:
    """Values to places along an axis."""

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

"""BD-rates of all pairs of codecs, and their spread over the pictures, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Delta, bd_rate
from nacre.tools.evaluate.curves import Measured, curves_of, has_metric, read
from nacre.tools.evaluate.results import Evaluation
from nacre.tools.evaluate.spread import Spread, spread


@dataclass(frozen=True)
class Line:
    """A row of a table or a line of a plot: a measured codec or a published curve."""

    key: str
    label: str
    measured: Measured
    is_published: bool


def lines(found: Evaluation, anchors: Sequence[str] = (), metric: str = "psnr_rgb") -> list[Line]:
    """Return the measured codecs in the order of the call, then the published curves `anchors`.

    Lines without the metric are left out.
    """
    ours = [(codec, curves_of(codec, metric)) for codec in found.codecs]
    measured = [Line(c.codec, c.name, curves, False) for c, curves in ours if curves is not None]
    published = [(name, read(name, metric)) for name in anchors if has_metric(name, metric)]
    return measured + [Line(name, m.curve.name, m, True) for name, m in published]


def matrix(rows: list[Line]) -> list[list[Delta | None]]:
    """Return the BD-rate of each row against each column; None where the curves share no quality."""

    def cell(anchor: Line, test: Line) -> Delta | None:
        try:
            return bd_rate(anchor.measured.curve, test.measured.curve)
        except UsageError:
            return None

    return [[cell(anchor, test) for anchor in rows] for test in rows]


def metrics_of(found: Evaluation) -> dict[str, str]:
    """Return the metrics of comparisons, the default first, with their names in tables."""
    names = {"psnr_rgb": "PSNR (RGB)"}
    return {"psnr_yuv": "PSNR (YUV 6:1:1)", **names} if found.noun == "clip" else names


def matrix_table(found: Evaluation, anchors: Sequence[str], metric: str = "psnr_rgb") -> str:
    """Return the matrix as Markdown; negative: the row needs fewer bits than the column."""
    rows = lines(found, anchors, metric)
    names = metrics_of(found)
    what = "" if len(names) == 1 else f" by {names[metric]}"
    head = f"| BD-rate{what}, % of | against " + " | ".join(line.label for line in rows) + " |"
    out = [head, "|---" * (len(rows) + 1) + "|"]
    for line, cells in zip(rows, matrix(rows), strict=True):
        texts = (
            "-" if cell is None else f"{cell.value:+.1f}{'*' if cell.remarks else ''}"
            for cell in cells
        )
        out.append(f"| {line.label} | " + " | ".join(texts) + " |")
    return "\n".join([*out, *(f"\\* {remark}" for remark in remarks(rows))])


def remarks(rows: Sequence[Line]) -> list[str]:
    """Return the warnings about the curves of a table, each once."""
    found = [remark for line in rows for remark in line.measured.curve.remarks()]
    sets = {line.measured.curve.dataset for line in rows if line.is_published}
    if len(sets) > 1:
        found.append(f"published curves of different sets: {', '.join(sorted(map(str, sets)))}")
    return found


def spreads(found: Evaluation) -> list[tuple[str, str, Spread]]:
    """Return key, label and spread of each measured codec against the first one."""
    measured = lines(found, metric=next(iter(metrics_of(found))))
    pairs = [(m, spread(measured[0].measured, m.measured)) for m in measured[1:]]
    return [(m.key, m.label, found) for m, found in pairs if found is not None]


def spread_table(found: Evaluation) -> str:
    """Return the spreads against the first codec as Markdown; empty when there are none."""
    rows = spreads(found)
    if not rows:
        return ""
    against = f"against {lines(found)[0].label}, {found.noun} by {found.noun}"
    out = [
        f"\n| {against} | lower quartile | median | upper quartile | worst |",
        "|---|---|---|---|---|",
    ]
    for _, label, s in rows:
        worst = ", ".join(f"{name} {value:+.0f} %" for name, value in s.worst)
        out.append(
            f"| {label} | {s.lower:+.1f} % | {s.median:+.1f} % | {s.upper:+.1f} % | {worst} |"
        )
    return "\n".join(out)

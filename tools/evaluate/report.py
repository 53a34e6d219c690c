"""An evaluation as one HTML file that loads nothing else: plots, tables, pictures side by side.

The page is page/page.html, a Jinja2 template that escapes every value; this module prepares the values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Delta
from nacre.tools.evaluate.clips.player import frame_plots
from nacre.tools.evaluate.plot import Axes, Series, draw, sample
from nacre.tools.evaluate.results import Evaluation, Row, Seen
from nacre.tools.evaluate.side_by_side import SideBySide
from nacre.tools.evaluate.summary import Line, lines, matrix, metrics_of, spreads
from nacre.tools.streams import write_output

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = Path(__file__).with_name("page")
RATE = "bits per pixel"
METRICS = {
    "psnr_yuv": "PSNR (YUV 6:1:1), dB",
    "psnr_rgb": "PSNR (RGB), dB",
    "ms_ssim": "MS-SSIM, dB",
}
TIMES = {"encode_seconds": "seconds to encode", "decode_seconds": "seconds to decode"}
TEXT_COLUMNS = {
    "codec",
    "picture",
    "clip",
    "settings",
    "version",
    "worst pictures",
    "worst clips",
}  # the others are numbers
ORIGINALS = "originals"  # the line of the accuracy on uncoded pictures
NOTICEABLE = 0.05  # per cent; a smaller BD-rate has no colour


def environment() -> Environment:
    """Return the templates of the page. Raises UsageError without Jinja2."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UsageError("the report needs jinja2: pip install 'nacre[report]'") from error
    return Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined)


def write_report(
    path: Path, found: Evaluation, anchors: Sequence[str], shown: Sequence[SideBySide] = ()
) -> None:
    """Write the page, with the comparisons `shown`."""
    write_output(str(path), page(found, anchors, shown).encode(), force=True)


def page(found: Evaluation, anchors: Sequence[str], shown: Sequence[SideBySide] = ()) -> str:
    """Return the page as text."""
    templates = environment()
    from markupsafe import Markup  # a part of Jinja2

    all_lines = _all_lines(found, anchors)
    styles = _styles(found, anchors)
    legend = [
        {
            "key": line.key,
            "label": line.label,
            "sample": Markup(sample(styles[line.key], line.is_published)),
        }
        for line in all_lines
    ]
    if found.task is not None:
        drawn = Markup(sample(styles[ORIGINALS], True))
        legend.append({"key": ORIGINALS, "label": ORIGINALS, "sample": drawn})
    plots = [
        {
            "label": label,
            "linear": Markup(draw(series, Axes(RATE, label, False, is_y_log), styles)),
            "log": Markup(draw(series, Axes(RATE, label, True, is_y_log), styles)),
        }
        for label, series, is_y_log in _plots(found, anchors)
    ]
    clips = [c.picture for c in shown] or list(found.pictures)[:1] if found.noun == "clip" else []
    frame_figures = [
        {"label": label, "drawn": Markup(draw(series, axes, styles))}
        for clip in clips
        for label, series, axes in frame_plots(found, clip)
    ]
    return templates.get_template("page.html").render(
        found=found,
        frame_figures=frame_figures,
        machine=asdict(found.machine),
        css=Markup((PAGE / "page.css").read_text("utf-8")),
        js=Markup((PAGE / "page.js").read_text("utf-8")),
        text_columns=TEXT_COLUMNS,
        legend=legend,
        plots=plots,
        matrices=[
            (label, _matrix(lines(found, anchors, metric)))
            for metric, label in metrics_of(found).items()
        ],
        spread=_spread(found),
        rows=_rows(found),
        published=[line for line in all_lines if line.is_published],
        has_frames=any(comparison.rate for comparison in shown),
        shown=shown,
        data=[comparison.to_json() for comparison in shown],
    )


def paper_plot(found: Evaluation, anchors: Sequence[str], is_log: bool = False) -> str:
    """Return the PSNR plot alone, as an SVG file."""
    metric = next(iter(metrics_of(found)))
    series = _series(lines(found, anchors, metric))
    axes = Axes(RATE, METRICS[metric], is_log)
    return draw(series, axes, _styles(found, anchors), has_legend=True) + "\n"


def _all_lines(found: Evaluation, anchors: Sequence[str]) -> list[Line]:
    """The lines with any metric of the plots, each once."""
    known = {line.key: line for metric in METRICS for line in lines(found, anchors, metric)}
    order = [*(codec.codec for codec in found.codecs), *anchors]
    return [known[key] for key in order if key in known]


def _styles(found: Evaluation, anchors: Sequence[str]) -> dict[str, int]:
    keys = [*(c.codec for c in found.codecs), *anchors]
    keys += [ORIGINALS] if found.task is not None else []
    return {key: i for i, key in enumerate(keys)}


def _plots(found: Evaluation, anchors: Sequence[str]) -> list[tuple[str, list[Series], bool]]:
    """Return label, lines and whether the y axis is logarithmic, of each plot that has a measured line."""
    curves = [
        (label, _series(lines(found, anchors, metric)), False)
        for metric, label in METRICS.items()
        if lines(found, (), metric)
    ]
    seconds = [(label, _time_series(found, column), True) for column, label in TIMES.items()]
    return curves + _task_plots(found) + [plot for plot in seconds if plot[1]]


def _task_plots(found: Evaluation) -> list[tuple[str, list[Series], bool]]:
    """Return accuracy over rate, with the accuracy on the originals as a dashed line."""
    if found.task is None:
        return []
    measured = _time_series(found, "accuracy")
    series = [replace(one, y=[100 * y for y in one.y]) for one in measured]
    rates = [x for one in series for x in one.x]
    if not rates:
        return []
    level = [100 * found.task.accuracy] * 2
    originals = Series(ORIGINALS, ORIGINALS, [min(rates), max(rates)], level, True)
    return [(f"accuracy of {found.task.name}, %", [*series, originals], False)]


def _series(rows: Sequence[Line]) -> list[Series]:
    return [
        Series(
            line.key,
            line.label,
            line.measured.curve.rate.tolist(),
            line.measured.curve.quality.tolist(),
            line.is_published,
        )
        for line in rows
    ]


def _time_series(found: Evaluation, column: str) -> list[Series]:
    means = [(codec, codec.means()) for codec in found.codecs]
    return [Series(c.codec, c.name, m["bpp"], m[column]) for c, m in means if m.get(column)]


def _matrix(rows: list[Line]) -> dict[str, Any]:
    body = [
        {"label": line.label, "cells": [None if d is None else _cell(d) for d in deltas]}
        for line, deltas in zip(rows, matrix(rows), strict=True)
    ]
    return {"head": ["BD-rate, %", *(line.label for line in rows)], "rows": body}


def _cell(delta: Delta) -> dict[str, str]:
    is_noticeable = abs(delta.value) > NOTICEABLE
    return {
        "kind": ("better" if delta.value < 0 else "worse") if is_noticeable else "",
        "title": "; ".join([f"over {delta.low:.1f} to {delta.high:.1f} dB", *delta.remarks]),
        "text": f"{delta.value:+.1f}{'*' if delta.remarks else ''}",
    }


def _spread(found: Evaluation) -> dict[str, Any] | None:
    """Return BD-rates against the first codec for each picture; None if no picture has two curves."""
    rows = spreads(found)
    if not rows:
        return None
    first = lines(found)[0].label
    names = sorted({name for _, _, s in rows for name in s.bd_rate})
    return {
        "head": [
            f"against {first}, %",
            "lower quartile",
            "median",
            "upper quartile",
            f"worst {found.noun}s",
        ],
        "rows": [
            {
                "label": label,
                "quartiles": [f"{value:+.1f}" for value in (s.lower, s.median, s.upper)],
                "worst": ", ".join(f"{name} {value:+.0f} %" for name, value in s.worst),
            }
            for _, label, s in rows
        ],
        "picture_head": ["BD-rate, %", *(label for _, label, _ in rows)],
        "pictures": [
            {
                "label": name,
                "cells": [_number(s.bd_rate.get(name), "+.1f") or "-" for _, _, s in rows],
            }
            for name in names
        ],
    }


def _rows(found: Evaluation) -> dict[str, Any]:
    """Return every row that was measured."""
    timed = any(row.encode_seconds is not None for codec in found.codecs for row in codec.rows)
    head = ["codec", found.noun, "quality", "bytes", RATE, "PSNR", "Y", "Cb", "Cr", "MS-SSIM"]
    head += ["encode, s", "decode, s", "MiB"] if timed else []
    head += ["recognised as"] if found.task is not None else []
    body = [
        {
            "codec": codec.name,
            "picture": row.picture,
            "cells": _cells(row, timed, found.task is not None),
        }
        for codec in found.codecs
        for row in codec.rows
    ]
    return {"head": head, "rows": body}


def _cells(row: Row, timed: bool, has_task: bool) -> list[str]:
    cells = [f"{row.quality:g}", f"{row.bytes:,}", f"{row.bpp:.4f}", f"{row.psnr_rgb:.3f}"]
    cells += [f"{value:.2f}" for value in (row.psnr_y, row.psnr_cb, row.psnr_cr)]
    cells.append(_number(row.ms_ssim, ".5f"))
    if timed:
        cells += [_number(value, ".3f") for value in (row.encode_seconds, row.decode_seconds)]
        cells.append(_number(row.peak_memory_mib, ".0f"))
    if has_task:
        cells.append(_recognised(row))
    return cells


def _recognised(row: Row) -> str:
    if not isinstance(row.seen, Seen):
        return ""
    return row.seen.prediction if row.seen.is_right else f"{row.seen.prediction} (wrong)"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)

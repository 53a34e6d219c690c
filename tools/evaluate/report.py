"""An evaluation as one page that needs nothing beside itself: plots, tables, pictures side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from msgspec.structs import asdict

from nacre.tools.evaluate.compare import Comparison, compare
from nacre.tools.evaluate.plot import Axes, Series, draw, sample, with_legend
from nacre.tools.evaluate.results import Evaluation
from nacre.tools.evaluate.summary import Line, lines, matrix, spreads

PAGE = Path(__file__).with_name("page")
RATE = "bits per pixel"
SHOWN = 2  # pictures side by side unless told which
METRICS = {"psnr_rgb": "PSNR (RGB), dB", "ms_ssim": "MS-SSIM, dB"}
TIMES = {"encode_seconds": "seconds to encode", "decode_seconds": "seconds to decode"}


def write_report(
    path: Path,
    found: Evaluation,
    anchors: Sequence[str],
    folder: Path,
    names: Sequence[str] = (),
) -> None:
    """`folder` holds the pictures; those of `names` are shown side by side."""
    chosen = names or _middle_names(found)
    shown = [compare(found, folder / name) for name in chosen]
    path.write_text(page(found, anchors, [c for c in shown if c.sides]), encoding="utf-8")


def page(found: Evaluation, anchors: Sequence[str], shown: Sequence[Comparison] = ()) -> str:
    """The page as text."""
    styles = _styles(found, anchors)
    plots = [
        _plot(_series(lines(found, anchors, metric)), label, styles)
        for metric, label in METRICS.items()
        if lines(found, (), metric)
    ]
    plots += [
        _plot(_time_series(found, column), label, styles, is_y_log=True)
        for column, label in TIMES.items()
        if _time_series(found, column)
    ]
    values = {
        "title": escape(f"Rate and distortion on {found.dataset}"),
        "css": (PAGE / "page.css").read_text("utf-8"),
        "js": (PAGE / "page.js").read_text("utf-8"),
        "legend": _legend(lines(found, anchors), styles),
        "plots": "".join(plots),
        "matrix": _matrix(found, anchors),
        "spread": _spread(found),
        "pictures": _pictures(found),
        "settings": _settings(found, anchors),
        "compare": _compare(shown),
        "data": json.dumps([c.to_json() for c in shown]).replace("<", "\\u003c"),
    }
    text = (PAGE / "page.html").read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"<!--{key}-->", value)
    return text


def paper_plot(found: Evaluation, anchors: Sequence[str], is_log: bool = False) -> str:
    """The PSNR plot alone, as an SVG file."""
    series = _series(lines(found, anchors))
    styles = _styles(found, anchors)
    svg = draw(series, Axes(RATE, METRICS["psnr_rgb"], is_log), styles)
    return with_legend(svg, series, styles) + "\n"


def _styles(found: Evaluation, anchors: Sequence[str]) -> dict[str, int]:
    return {key: i for i, key in enumerate([*(c.codec for c in found.codecs), *anchors])}


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


def _plot(series: list[Series], label: str, styles: dict[str, int], is_y_log: bool = False) -> str:
    """A figure that holds the plot twice: over a linear and over a logarithmic rate."""
    both = "".join(
        f'<div class="{name}">{draw(series, Axes(RATE, label, is_log, is_y_log), styles)}</div>'
        for name, is_log in (("linear", False), ("log", True))
    )
    return f'<figure class="plot"><figcaption>{escape(label)}</figcaption>{both}</figure>'


def _legend(rows: Sequence[Line], styles: dict[str, int]) -> str:
    buttons = []
    for line in rows:
        sample = _sample(styles[line.key], line.is_published)
        buttons.append(
            f'<button type="button" data-series="{escape(line.key)}" aria-pressed="true">{sample}'
            f"{escape(line.label)}</button>"
        )
    return "".join(buttons)


def _sample(style: int, is_published: bool) -> str:
    drawn = sample(style, is_published, 0, 28, 6)
    return f'<svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{drawn}</svg>'


def _matrix(found: Evaluation, anchors: Sequence[str]) -> str:
    rows = lines(found, anchors)
    body = []
    for line, cells in zip(rows, matrix(rows), strict=True):
        texts = []
        for cell in cells:
            if cell is None:
                texts.append("<td>-</td>")
                continue
            kind = "better" if cell.value < -0.05 else "worse" if cell.value > 0.05 else ""
            said = "; ".join([f"over {cell.low:.1f} to {cell.high:.1f} dB", *cell.remarks])
            mark = "*" if cell.remarks else ""
            texts.append(f'<td class="{kind}" title="{escape(said)}">{cell.value:+.1f}{mark}</td>')
        body.append([f"<th scope=row>{escape(line.label)}</th>", *texts])
    return _table(["BD-rate, %", *(line.label for line in rows)], body)


def _spread(found: Evaluation) -> str:
    rows = spreads(found)
    if not rows:
        return ""
    first = lines(found)[0].label
    summary = [
        [
            f"<th scope=row>{escape(label)}</th>",
            *(f"<td>{v:+.1f}</td>" for v in (s.lower, s.median, s.upper)),
            f"<td class=text>{escape(', '.join(f'{n} {v:+.0f} %' for n, v in s.worst))}</td>",
        ]
        for _, label, s in rows
    ]
    head = [f"against {first}, %", "lower quartile", "median", "upper quartile", "worst pictures"]
    names = sorted({name for _, _, s in rows for name in s.bd_rate})
    body = [
        [
            f"<th scope=row>{escape(name)}</th>",
            *(
                f"<td>{s.bd_rate[name]:+.1f}</td>" if name in s.bd_rate else "<td>-</td>"
                for _, _, s in rows
            ),
        ]
        for name in names
    ]
    each = _table(["BD-rate, %", *(label for _, label, _ in rows)], body)
    return _table(head, summary) + f"<details><summary>Every picture</summary>{each}</details>"


def _pictures(found: Evaluation) -> str:
    """Every row that was measured."""
    timed = any(row.encode_seconds is not None for codec in found.codecs for row in codec.rows)
    head = ["codec", "picture", "quality", "bytes", RATE, "PSNR", "Y", "Cb", "Cr", "MS-SSIM"]
    head += ["encode, s", "decode, s", "MiB"] if timed else []
    body = []
    for codec in found.codecs:
        for row in codec.rows:
            numbers = [
                f"{row.quality:g}",
                f"{row.bytes:,}",
                f"{row.bpp:.4f}",
                f"{row.psnr_rgb:.3f}",
            ]
            numbers += [f"{v:.2f}" for v in (row.psnr_y, row.psnr_cb, row.psnr_cr)]
            numbers.append("" if row.ms_ssim is None else f"{row.ms_ssim:.5f}")
            if timed:
                for value in (row.encode_seconds, row.decode_seconds):
                    numbers.append("" if value is None else f"{value:.3f}")
                memory = row.peak_memory_mib
                numbers.append("" if memory is None else f"{memory:.0f}")
            cells = [
                f"<td class=text>{escape(codec.name)}</td>",
                f"<td class=text>{escape(row.picture)}</td>",
            ]
            body.append(cells + [f"<td>{n}</td>" for n in numbers])
    return _table(head, body)


def _settings(found: Evaluation, anchors: Sequence[str]) -> str:
    body = [
        [
            f"<th scope=row>{escape(codec.name)}</th>",
            f"<td class=text><code>{escape(codec.settings)}</code></td>",
            f"<td class=text>{escape(codec.version)}</td>",
            f"<td>{len(codec.complete())} of {len(found.pictures)}</td>",
        ]
        for codec in found.codecs
    ]
    text = _table(["codec", "settings", "version", "pictures"], body)
    text += f"<p>{escape(', '.join(f'{k}: {v}' for k, v in asdict(found.machine).items()))}</p>"
    items = [
        f"<li>{escape(name)} left out: {escape(why)}</li>" for name, why in found.unreadable.items()
    ]
    items += [
        f"<li>{escape(name)} skipped: {escape(why)}</li>" for name, why in found.skipped.items()
    ]
    items += [
        f"<li>{escape(codec.name)} failed on {escape(f.picture)} at {f.quality}: {escape(f.reason)}</li>"
        for codec in found.codecs
        for f in codec.failures
    ]
    published = [line for line in lines(found, anchors) if line.is_published]
    items += [f"<li>{escape(p.label)}: published, {escape(p.key)}</li>" for p in published]
    return text + (f"<ul>{''.join(items)}</ul>" if items else "")


def _compare(shown: Sequence[Comparison]) -> str:
    if not shown:
        return ""
    pictures = "".join(
        f"<option value={i}>{escape(c.picture)}</option>" for i, c in enumerate(shown)
    )
    return (
        '<div class="choices"><label>Picture <select id="picture">' + pictures + "</select></label>"
        '<label>Left <select id="left"></select></label>'
        '<label>Right <select id="right"></select></label></div>'
        '<div id="wipe"><img id="under" alt=""><img id="over" alt=""><div id="bar"></div>'
        '<input id="slider" type="range" min="0" max="1000" value="500" aria-label="Where left ends"></div>'
        '<p id="said"></p>'
    )


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th scope=col>{escape(h)}</th>" for h in head)
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in body)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'


def _middle_names(found: Evaluation) -> list[str]:
    """Pictures that lie evenly in the set."""
    names = sorted(found.pictures)
    return [names[(2 * i + 1) * len(names) // (2 * SHOWN)] for i in range(min(SHOWN, len(names)))]

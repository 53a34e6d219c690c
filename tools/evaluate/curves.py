"""Curves by name: published ones, our own results, CompressAI's JSON and CSV.

kodak:vtm-18.0      a published curve of tools/anchors
results.json        of `nacre bench` or `nacre eval`, of CompressAI, or in the form of tools/anchors
results.jsonl       rows of `nacre bench` or `nacre eval`, also of an interrupted run
results.json:webp   one codec out of several
results.csv         columns bpp and psnr_rgb (or psnr), and if there are any ms_ssim, codec, picture
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve
from nacre.tools.evaluate.results import CodecResult, Row, read_evaluation
from nacre.tools.evaluate.store import SUFFIX, read_codecs

ANCHORS = Path(__file__).parents[1] / "anchors"
FILES = (".json", SUFFIX, ".csv")
METRICS = ("psnr_rgb", "ms_ssim", "psnr_y", "psnr_cb", "psnr_cr", "psnr_yuv")
RATES = ("bpp", "bitrate_kbps", "rate")
OTHER_NAMES = {  # of the metrics, in files of other programs
    "psnr_rgb": ("psnr-rgb", "psnr", "psnr_db", "psnr-rgb_8bit"),
    "ms_ssim": ("ms-ssim-rgb", "ms-ssim", "ms_ssim_db", "msssim"),
}
COLUMNS = (*RATES, *METRICS, *(other for names in OTHER_NAMES.values() for other in names))
HIGHEST_MS_SSIM = 1 - 1e-9  # equal pictures have no finite figure in dB
LEAST_POINTS = 2  # of a curve

Columns = dict[str, list[float]]


class NoMetric(UsageError):
    """The curve exists, but not for the requested metric."""


@dataclass(frozen=True)
class Measured:
    """One codec on one set: its mean curve, and curves of single pictures if known."""

    curve: Curve
    pictures: Mapping[str, Curve]


@dataclass(frozen=True)
class _Table:
    """One codec of a file, with unconverted numbers."""

    label: str
    dataset: str | None = None
    means: Columns = field(default_factory=dict)
    pictures: dict[str, Columns] = field(default_factory=dict)


def decibels(ms_ssim: Sequence[float]) -> list[float]:
    """Convert MS-SSIM to the scale on which its curves are compared: -10 log10(1 - MS-SSIM)."""
    x = np.minimum(np.asarray(ms_ssim, float), HIGHEST_MS_SSIM)
    return [float(v) for v in -10 * np.log10(1 - x)]


def anchor_names(dataset: str | None = None) -> list[str]:
    """Return the names of the published curves, `dataset:codec`."""
    found = sorted(ANCHORS.glob(f"{dataset or '*'}/*.json"))
    return [f"{path.parent.name}:{path.stem}" for path in found]


def read(name: str, metric: str = "psnr_rgb") -> Measured:
    """Return the curve of a name (see the module). Raises UsageError that names the file and the field."""
    if metric not in METRICS:
        raise UsageError(f"metric {metric!r}: one of {', '.join(METRICS)} wanted")
    path, codec = _path_of(name)
    try:
        tables = _tables(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} holds no curve: {error}") from error
    if codec is not None:
        tables = {key: table for key, table in tables.items() if codec in (key, table.label)}
    if len(tables) != 1:
        known = ", ".join(tables) or "another codec"
        raise UsageError(f"{name}: one codec is wanted ({path.name}:CODEC); there is {known}")
    (table,) = tables.values()
    return _measured(table, metric, name)


def has_metric(name: str, metric: str) -> bool:
    try:
        read(name, metric)
    except NoMetric:
        return False
    return True


def check_name(name: str) -> None:
    """Raise UsageError if there is no such curve, for any metric."""
    if not any(has_metric(name, metric) for metric in METRICS):
        raise NoMetric(f"{name}: none of {', '.join(METRICS)} in it")


def curves_of(codec: CodecResult, metric: str = "psnr_rgb") -> Measured | None:
    """Return the mean curve and picture curves of rows; None without the metric or with too few points."""
    table = _table_of(codec)
    if metric not in table.means or len(table.means[metric]) < LEAST_POINTS:
        return None
    return _measured(table, metric, codec.codec)


def _path_of(name: str) -> tuple[Path, str | None]:
    """Return the file and, if the name selects one of several, the codec."""
    if Path(name).suffix.lower() in FILES and Path(name).is_file():
        return Path(name), None
    for at in reversed([i for i, letter in enumerate(name) if letter == ":"]):
        if Path(name[:at]).suffix.lower() in FILES:  # codecs may have colons in their names too
            return Path(name[:at]), name[at + 1 :]
    before, colon, after = name.rpartition(":")
    anchor = ANCHORS / before / f"{after}.json"
    if colon and anchor.is_file():
        return anchor, None
    if colon and (ANCHORS / before).is_dir():
        near = difflib.get_close_matches(name, anchor_names(before), 5, 0.3)
        raise UsageError(f"{name}: no such published curve; there is {', '.join(near)}")
    return Path(name), None


def _tables(path: Path) -> dict[str, _Table]:
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return {key: _table_of(codec, set_) for key, (set_, codec) in read_codecs(path).items()}
    if suffix == ".csv":
        return _csv_tables(path)
    raw = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    if "codecs" in raw:  # of nacre
        found = read_evaluation(path)
        return {codec.codec: _table_of(codec, found.dataset) for codec in found.codecs}
    columns = raw.get("results", raw)  # CompressAI's, or one of tools/anchors
    facts = {key: _field(raw, key, str | None, path) for key in ("name", "codec", "dataset")}
    label = facts["name"] or facts["codec"] or path.stem
    means = {key: _field(columns, key, list[float], path) for key in COLUMNS if columns.get(key)}
    return {path.stem: _Table(label, facts["dataset"], means)}


def _field(raw: Mapping[str, Any], key: str, kind: Any, path: Path) -> Any:
    try:
        return msgspec.convert(raw.get(key), kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {key}: {error}") from error


def _table_of(codec: CodecResult, dataset: str | None = None) -> _Table:
    rows: dict[str, list[Row]] = {name: [] for name in codec.complete()}
    for row in codec.rows:
        if row.picture in rows:
            rows[row.picture].append(row)
    means = codec.means()
    pictures = {
        name: {key: [getattr(row, key) for row in own] for key in means}
        for name, own in rows.items()
    }
    return _Table(codec.name, dataset, means, pictures)


def _csv_tables(path: Path) -> dict[str, _Table]:
    """Lines with a picture are points of its curve, lines without one are points of the mean curve."""
    points: dict[tuple[str, str], list[dict[str, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in (reader := csv.DictReader(file)):
            curve = line.get("codec") or path.stem, line.get("picture") or ""
            where = f"{path}, line {reader.line_num}"
            cells = {key: text for key, text in line.items() if key in COLUMNS and text}
            point = {key: _number(text, f"{where}: {key}") for key, text in cells.items()}
            points.setdefault(curve, []).append(point)
    tables: dict[str, _Table] = {}
    for (codec, picture), own in points.items():
        table = tables.setdefault(codec, _Table(codec))
        columns = table.pictures.setdefault(picture, {}) if picture else table.means
        complete = [key for key in own[0] if all(key in point for point in own)]
        columns.update({key: [point[key] for point in own] for key in complete})
    return tables


def _number(text: Any, where: str) -> float:
    try:
        return msgspec.convert(text, float, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where} is {text!r}, not a number") from error


def _measured(table: _Table, metric: str, name: str) -> Measured:
    if any("bpp" not in columns for columns in table.pictures.values()):
        raise NoMetric(f"{name}: no bpp in it")
    pictures = dict(_picture_curves(table.pictures, metric))
    if pictures and not any(key in table.means for key in RATES):
        return Measured(_mean(table.label, pictures, table.dataset), pictures)
    rate = next((table.means[key] for key in RATES if table.means.get(key)), None)
    quality = _quality(table.means, metric)
    if rate is None or quality is None:
        raise NoMetric(f"{name}: no {metric if rate is not None else 'bpp'} in it")
    return Measured(Curve.of(table.label, rate, quality, table.dataset), pictures)


def _quality(columns: Columns, metric: str) -> list[float] | None:
    """Return the column of a metric, in dB."""
    for key in (metric, *OTHER_NAMES.get(metric, ())):
        values = columns.get(key)
        if values:
            is_linear = metric == "ms_ssim" and max(values) <= 1
            return decibels(values) if is_linear else values
    return None


def _picture_curves(pictures: Mapping[str, Columns], metric: str) -> Iterator[tuple[str, Curve]]:
    for picture, columns in pictures.items():
        quality = _quality(columns, metric)
        if quality is not None and len(quality) >= LEAST_POINTS:
            yield picture, Curve.of(picture, columns["bpp"], quality)


def _mean(label: str, pictures: Mapping[str, Curve], dataset: str | None) -> Curve:
    """Average point by point over the pictures, which must have as many points each."""
    if len({len(curve.rate) for curve in pictures.values()}) != 1:
        raise UsageError(f"{label}: the pictures do not have the same number of points each")
    rate = np.mean([curve.rate for curve in pictures.values()], 0)
    quality = np.mean([curve.quality for curve in pictures.values()], 0)
    return Curve.of(label, rate.tolist(), quality.tolist(), dataset)

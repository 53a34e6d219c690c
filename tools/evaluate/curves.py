"""Curves by name: published ones, our own results, CompressAI's JSON and CSV.

kodak:vtm-18.0      a published curve of tools/anchors
results.json        of `nacre bench` or `nacre eval`, of CompressAI, or one like those of tools/anchors
results.json:webp   one codec out of several
results.csv         columns bpp and psnr_rgb (or psnr), and if there are any ms_ssim, codec, picture
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve

ANCHORS = Path(__file__).parents[1] / "anchors"
METRICS = ("psnr_rgb", "ms_ssim", "psnr_y", "psnr_cb", "psnr_cr", "psnr_yuv")
RATES = ("bpp", "bitrate_kbps", "rate")
OTHER_NAMES = {  # of the metrics, in files of others
    "psnr_rgb": ("psnr-rgb", "psnr", "psnr_db", "psnr-rgb_8bit"),
    "ms_ssim": ("ms-ssim-rgb", "ms-ssim", "ms_ssim_db", "msssim"),
}
HIGHEST_MS_SSIM = 1 - 1e-9  # equal pictures have no finite figure in dB


class NoMetric(UsageError):
    """The curve is there, but not by the metric that was asked for."""


Table = Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """One codec on one set: the mean curve, and the pictures' own where they are known."""

    curve: Curve
    pictures: Mapping[str, Curve]


def decibels(ms_ssim: Sequence[float]) -> list[float]:
    """MS-SSIM on the scale on which curves of it are compared: -10 log10(1 - MS-SSIM)."""
    x = np.minimum(np.asarray(ms_ssim, float), HIGHEST_MS_SSIM)
    return [float(v) for v in -10 * np.log10(1 - x)]


def anchor_names(dataset: str | None = None) -> list[str]:
    """Names of the published curves, `dataset:codec`."""
    found = sorted(ANCHORS.glob(f"{dataset or '*'}/*.json"))
    return [f"{path.parent.name}:{path.stem}" for path in found]


def read(name: str, metric: str = "psnr_rgb") -> Measured:
    """The curve that a name of the module's docstring means; raises UsageError."""
    if metric not in METRICS:
        raise UsageError(f"metric {metric!r}: one of {', '.join(METRICS)} wanted")
    path, codec = _path_of(name)
    try:
        tables = _csv_tables(path) if path.suffix.lower() == ".csv" else _json_tables(path, metric)
        if codec is not None:
            tables = {key: table for key, table in tables.items() if codec in (key, table["codec"])}
        if len(tables) != 1:
            known = ", ".join(tables) or "another codec"
            raise UsageError(f"{name}: one codec is wanted ({path.name}:CODEC); there is {known}")
        (table,) = tables.values()
        return _measured(table, metric, name)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no curve: {error}") from error


def has_metric(name: str, metric: str) -> bool:
    """Whether a curve was published by this metric."""
    try:
        read(name, metric)
    except NoMetric:
        return False
    return True


def _path_of(name: str) -> tuple[Path, str | None]:
    """File and, where several are in it, codec."""
    if Path(name).suffix.lower() in (".json", ".csv") and Path(name).is_file():
        return Path(name), None
    before, colon, after = name.rpartition(":")
    if colon and Path(before).suffix.lower() in (".json", ".csv"):
        return Path(before), after
    anchor = ANCHORS / before / f"{after}.json"
    if colon and anchor.is_file():
        return anchor, None
    if colon and (ANCHORS / before).is_dir():
        near = difflib.get_close_matches(name, anchor_names(before), 5, 0.3)
        raise UsageError(f"{name}: no such published curve; there is {', '.join(near)}")
    return Path(name), None


def _json_tables(path: Path, metric: str) -> dict[str, Table]:
    raw = json.loads(path.read_text("utf-8"))
    if isinstance(raw.get("codecs"), list):  # ours
        dataset = raw.get("dataset")
        return {entry["codec"]: {"dataset": dataset, **entry} for entry in raw["codecs"]}
    if isinstance(raw.get("results"), dict):  # CompressAI's
        return {path.stem: {"codec": raw.get("name", path.stem), **raw["results"]}}
    return {path.stem: {**raw, "codec": raw.get("codec", path.stem)}}


def _csv_tables(path: Path) -> dict[str, Table]:
    tables: dict[str, dict[str, Any]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            name = line.get("codec") or path.stem
            table = tables.setdefault(name, {"codec": name, "rows": []})
            row = {k: float(v) for k, v in line.items() if k not in ("codec", "picture") and v}
            table["rows"].append({**row, "picture": line.get("picture")})
    if any(row["picture"] is None for table in tables.values() for row in table["rows"]):
        for table in tables.values():  # no pictures: every line is a point of the mean curve
            rows = table.pop("rows")
            table.update({key: [row[key] for row in rows] for key in rows[0]})
    return dict(tables)


def _measured(table: Table, metric: str, name: str) -> Measured:
    label, dataset = str(table.get("name") or table["codec"]), table.get("dataset")
    rows = table.get("rows")
    pictures = dict(_picture_curves(rows, metric)) if rows else {}
    if rows and not any(key in table for key in RATES):
        return Measured(_mean(label, pictures, dataset), pictures)
    rate = next((table[key] for key in RATES if table.get(key)), None)
    quality = _quality(table, metric)
    if rate is None or quality is None:
        raise NoMetric(f"{name}: no {metric if rate is not None else 'bpp'} in it")
    return Measured(Curve.of(label, rate, quality, dataset), pictures)


def _quality(table: Table, metric: str) -> list[float] | None:
    """The column of a metric, in dB."""
    for key in (metric, *OTHER_NAMES.get(metric, ())):
        if table.get(key):
            values = [float(v) for v in table[key]]
            is_linear = metric == "ms_ssim" and max(values) <= 1
            return decibels(values) if is_linear else values
    return None


def _picture_curves(rows: Sequence[Table], metric: str) -> Iterator[tuple[str, Curve]]:
    by_picture: dict[str, list[Table]] = {}
    for row in rows:
        by_picture.setdefault(str(row["picture"]), []).append(row)
    for picture, own in by_picture.items():
        columns = {key: [row[key] for row in own] for key in own[0] if key != "picture"}
        quality = _quality(columns, metric)
        if quality is not None and len(own) > 1:
            yield picture, Curve.of(picture, columns["bpp"], quality)


def _mean(label: str, pictures: Mapping[str, Curve], dataset: str | None) -> Curve:
    """Point by point over the pictures, which must have as many points each."""
    if len({len(curve.rate) for curve in pictures.values()}) != 1:
        raise UsageError(f"{label}: the pictures do not have the same number of points each")
    rate = np.mean([curve.rate for curve in pictures.values()], 0)
    quality = np.mean([curve.quality for curve in pictures.values()], 0)
    return Curve.of(label, rate.tolist(), quality.tolist(), dataset)

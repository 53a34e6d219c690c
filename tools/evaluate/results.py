"""What an evaluation found: rows for every picture, means for every codec, and the JSON that holds them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from nacre.entropy.errors import UsageError

FORMAT = "nacre evaluation 1"
MEANS = (  # columns of a row whose means make the curves
    "bpp", "psnr_rgb", "psnr_y", "psnr_cb", "psnr_cr", "ms_ssim", "lpips",
    "encode_seconds", "decode_seconds", "encode_entropy_seconds", "decode_entropy_seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One picture at one quality, from a file that was written and read again."""

    picture: str
    quality: float
    bytes: int  # of the whole file
    bpp: float
    psnr_rgb: float  # dB, over R, G and B together, 8 bits
    psnr_y: float
    psnr_cb: float
    psnr_cr: float
    ms_ssim: float | None  # over RGB, 0..1; None for small pictures
    lpips: float | None  # None unless it was asked for
    encode_seconds: float | None  # None where several pictures ran at once
    decode_seconds: float | None
    encode_entropy_seconds: float | None  # None where the codec does not tell
    decode_entropy_seconds: float | None
    peak_memory_mib: float | None  # of the process, largest resident size while coding
    sha256: str  # of the file, the first 16 digits


@dataclass(frozen=True)
class Failure:
    """What a codec could not do, or a picture that could not be read."""

    picture: str
    quality: float | None
    reason: str


@dataclass
class CodecResult:
    """All rows of a codec; `name`, `settings` and `version` say exactly what was run."""

    codec: str
    name: str
    settings: str
    version: str
    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def complete(self) -> list[str]:
        """Pictures that were measured at every quality: the curve is a mean over these."""
        qualities = {row.quality for row in self.rows}
        done: dict[str, set[float]] = {}
        for row in self.rows:
            done.setdefault(row.picture, set()).add(row.quality)
        return sorted(picture for picture, own in done.items() if own == qualities)

    def means(self) -> dict[str, list[float]]:
        """Columns "quality" and those of MEANS, a value for each quality, in order of rate."""
        pictures = set(self.complete())
        rows = [row for row in self.rows if row.picture in pictures]
        groups: dict[float, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.quality, []).append(row)
        order = sorted(groups, key=lambda q: float(np.mean([row.bpp for row in groups[q]])))
        columns: dict[str, list[float]] = {"quality": order}
        for name in MEANS:
            values = [[getattr(row, name) for row in groups[quality]] for quality in order]
            if values and all(v is not None for group in values for v in group):
                columns[name] = [round(float(np.mean(group)), 6) for group in values]
        return columns


@dataclass
class Evaluation:
    """Codecs on one set of pictures."""

    dataset: str
    machine: dict[str, Any]
    pictures: dict[str, dict[str, Any]]  # by name: width, height, sha256
    codecs: list[CodecResult] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # codec to why, and how to get it
    unreadable: dict[str, str] = field(default_factory=dict)  # picture to why

    def codec(self, name: str) -> CodecResult | None:
        return next((c for c in self.codecs if c.codec == name), None)

    def to_json(self) -> str:
        """Codecs carry their mean curves as columns, so that the file is a curve for anyone."""
        raw = asdict(self)
        for entry, codec in zip(raw["codecs"], self.codecs, strict=True):
            rows = entry.pop("rows")
            entry.update(codec.means(), pictures=len(codec.complete()))
            entry["rows"] = rows
        text = json.dumps({"format": FORMAT, **raw}, indent=1)
        return _one_line_each(text) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        raw = json.loads(text)
        if raw.get("format") != FORMAT:
            raise ValueError(f"its format is {raw.get('format')!r}, not {FORMAT!r}")
        names = {f.name for f in fields(CodecResult)}
        codecs = [
            CodecResult(
                **{
                    **{k: v for k, v in entry.items() if k in names},
                    "rows": [Row(**row) for row in entry["rows"]],
                    "failures": [Failure(**f) for f in entry["failures"]],
                }
            )
            for entry in raw["codecs"]
        ]
        rest = ("dataset", "machine", "pictures", "skipped", "unreadable")
        return cls(**{key: raw[key] for key in rest}, codecs=codecs)

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.resolve().parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.to_json())
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


def read_evaluation(path: Path) -> Evaluation:
    """Raises UsageError when the file is not one of ours."""
    try:
        return Evaluation.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no evaluation of nacre: {error}") from error


def _one_line_each(text: str) -> str:
    """Innermost lists and objects on one line each: a row is a line, a curve is a line."""
    lines: list[str] = []
    held: list[str] | None = None
    for line in text.splitlines():
        if line.endswith(("{", "[")):
            lines += held or []
            held = [line]
        elif held is not None and line.strip().rstrip(",") in ("}", "]"):
            lines.append(held[0] + " ".join(part.strip() for part in [*held[1:], line]))
            held = None
        elif held is not None:
            held.append(line)
        else:
            lines.append(line)
    return "\n".join(lines + (held or []))


def table(codecs: Sequence[CodecResult]) -> str:
    """Mean curves as Markdown."""
    lines = ["| codec | quality | bits per pixel | PSNR, dB | MS-SSIM |", "|---|---|---|---|---|"]
    for codec in codecs:
        means = codec.means()
        for i, quality in enumerate(means["quality"]):
            ssim = f"{means['ms_ssim'][i]:.4f}" if "ms_ssim" in means else ""
            psnr, bpp = means["psnr_rgb"][i], means["bpp"][i]
            lines.append(f"| {codec.name} | {quality:g} | {bpp:.3f} | {psnr:.2f} | {ssim} |")
    return "\n".join(lines)

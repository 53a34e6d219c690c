"""Measure how closely files meet a requested size: the table of sizes in docs/effort.md.

    python -m nacre.tools.studies.targets PICTURES --json FILE [--bpp 0.25 0.5 1 1.5 2] [--effort 1]

PICTURES are files or folders.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nacre import codec
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures

BPP = (0.25, 0.5, 1.0, 1.5, 2.0)


def measure(paths: Sequence[Path], bpp: float, effort: int) -> Figures:
    """Encode every picture to at most `bpp` bits per pixel."""
    files, refused = [], {}
    for path in paths:
        image = study.open_rgb(path)
        wanted = bpp * image.width * image.height / 8
        start = time.perf_counter()
        try:
            found = codec.encode_to(image, bpp=bpp, effort=effort, strip=True)
        except codec.GoalError as error:
            refused[path.name] = str(error)
            continue
        files.append(
            {
                "picture": path.name,
                "under_percent": 100 * (1 - len(found.data) / wanted),
                "encodings": found.probes,
                "seconds": time.perf_counter() - start,
            }
        )
    return {"bpp": bpp, "files": files, "refused": refused}


def table(figures: Figures) -> str:
    """Markdown: one row for each requested rate."""
    head = [
        "bpp", "files", "out of reach", "most over, %", "mean under, %", "most under, %",
        "encodings, mean", "most", "seconds, mean",
    ]  # fmt: skip
    rows = []
    for row in figures["targets"]:
        counts = [f"{row['bpp']:g}", str(len(row["files"])), str(len(row["refused"]))]
        if not row["files"]:
            rows.append([*counts, *[""] * (len(head) - len(counts))])
            continue
        under, encodings, seconds = (
            [file[name] for file in row["files"]]
            for name in ("under_percent", "encodings", "seconds")
        )
        rows.append(
            [
                *counts,
                f"{max(0.0, -min(under)):.2f}",
                f"{np.mean(under):.2f}",
                f"{max(under):.2f}",
                f"{np.mean(encodings):.1f}",
                str(max(encodings)),
                f"{np.mean(seconds):.1f}",
            ]
        )
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURES")
    parser.add_argument("--bpp", type=float, nargs="+", default=BPP)
    parser.add_argument("--effort", type=int, default=1, help="(default: 1)")
    args = parser.parse_args(argv)
    paths = study.picture_files(args.pictures)
    figures: Figures = {
        "conditions": study.conditions(), "effort": args.effort, "targets": [],
    }  # fmt: skip
    for bpp in args.bpp:
        figures["targets"].append(measure(paths, bpp, args.effort))
        study.write(args.json, figures)
    print(table(figures))
    for row in figures["targets"]:
        for name, reason in row["refused"].items():
            print(f"{name} at {row['bpp']:g}: {reason}")
    return 0


if __name__ == "__main__":
    study.run(main)

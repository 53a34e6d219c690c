"""Measure codecs against each other on a folder of pictures.

nacre bench kodak/ --codecs nacre,jpeg,webp,avif --json results.json --report report.html
nacre bench kodak/ --codecs nacre,webp@method=4 --qualities webp@method=4=20,50,80
nacre bench kodak/ --codecs nacre,compressai:mbt2018-mean --timing

CODEC@OPTION=VALUE changes a setting of a codec; docs/evaluation.md lists all of them. The settings are printed.
A codec that is not installed is skipped, with a hint how to install it.

With --json results.json each row is also appended to results.jsonl as it is measured. A second run measures
only the rows that are missing there; results.json has the rows of the last run.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.tools import values
from nacre.tools.evaluate.codecs.registry import split_names
from nacre.tools.evaluate.curves import read
from nacre.tools.evaluate.report import environment, paper_plot, write_report
from nacre.tools.evaluate.results import table
from nacre.tools.evaluate.summary import matrix_table, spread_table
from nacre.tools.measuring import add_measuring_arguments, exit_code, measure
from nacre.tools.streams import write_output

DEFAULT = "nacre,jpeg,webp,jpeg2000,avif,jxl,heic"


def add_arguments(parser: ArgumentParser) -> None:
    add_measuring_arguments(parser)
    parser.add_argument(
        "--codecs",
        default=DEFAULT,
        metavar="C,C,...",
        help=f"codecs to measure (default: {DEFAULT})",
    )
    parser.add_argument(
        "--qualities",
        action="append",
        default=[],
        metavar="CODEC=Q,Q,...",
        help="qualities of one codec, instead of its default ones; may be repeated",
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="SET:NAME",
        help="a published curve for the table and the report (nacre bdrate --list); may be repeated",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="HTML",
        help="write a page with tables, plots and pictures; needs jinja2",
    )
    parser.add_argument("--svg", type=Path, metavar="SVG", help="write the PSNR plot, for a paper")
    parser.add_argument(
        "--compare",
        metavar="NAME,NAME,...",
        help="pictures shown side by side in the report (default: two of the set)",
    )


def run(args: Namespace) -> int:
    codecs = split_names(args.codecs)
    qualities = dict(sweep(text, codecs) for text in args.qualities)
    anchors = args.anchor
    names = args.compare.split(",") if args.compare else []
    check_before_work(args, names)
    found = measure(args, codecs, qualities)
    if not args.quiet:
        print(table(found.codecs))
        print()
    print(matrix_table(found, anchors))
    print(spread_table(found))
    if args.svg is not None:
        write_output(str(args.svg), paper_plot(found, anchors).encode(), force=True)
    if args.report is not None:
        write_report(args.report, found, anchors, args.dataset, names)
    return exit_code(found)


def sweep(text: str, codecs: Sequence[str]) -> tuple[str, tuple[float, ...]]:
    """Parse CODEC=Q,Q,...; the name of a codec may have a = too. Raises UsageError."""
    codec, equals, numbers = text.rpartition("=")
    if not equals or codec not in codecs:
        raise UsageError(f"--qualities {text!r}: CODEC=Q,Q,... of one of {', '.join(codecs)}")
    return codec, values.qualities(numbers)


def check_before_work(args: Namespace, names: Sequence[str]) -> None:
    """Raise UsageError for arguments that would fail only after hours of measuring."""
    for name in args.anchor:
        read(name)
    if args.report is not None:
        environment()
    for name in names:
        if not (args.dataset / name).is_file():
            raise UsageError(f"--compare {name}: no such picture in {args.dataset}")
    for path in (args.json, args.report, args.svg):
        if path is not None and path.is_dir():
            raise UsageError(f"{path} is a folder, not a file to write")

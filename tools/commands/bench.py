"""Measure codecs against each other on a folder of pictures.

nacre bench kodak/ --codecs nacre,jpeg,webp,avif --json results.json --report report.html
nacre bench kodak/ --codecs nacre,webp@method=4 --qualities webp@method=4=20,50,80
nacre bench kodak/ --codecs nacre,compressai:mbt2018-mean --timing

The exact settings are printed. A codec that is not installed is skipped, with a hint how to get it.
CODEC@OPTION=VALUE changes a setting; docs/evaluation.md lists all of them.

Rows are appended to results.jsonl beside results.json as they are measured; a later run measures only the
rows that are missing there. results.json is the summary of the rows that the last run asked for.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.tools.commands.eval import (
    add_measuring_arguments,
    exit_code,
    measure,
    parse_qualities,
)
from nacre.tools.evaluate.codecs.registry import CODECS
from nacre.tools.evaluate.curves import read
from nacre.tools.evaluate.report import environment, paper_plot, write_report
from nacre.tools.evaluate.results import table
from nacre.tools.evaluate.summary import matrix_table, spread_table
from nacre.tools.streams import write_output

DEFAULT = "nacre,jpeg,webp,jpeg2000,avif,jxl,heic"


def add_arguments(parser: ArgumentParser) -> None:
    add_measuring_arguments(parser)
    parser.add_argument(
        "--codecs", default=DEFAULT, metavar="C,C,...", help=f"(default: {DEFAULT})"
    )
    parser.add_argument(
        "--qualities",
        action="append",
        default=[],
        metavar="CODEC=Q,Q,...",
        help="qualities in place of the codec's default sweep",
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="SET:NAME",
        help="published curves in the table and the report (nacre bdrate --list)",
    )
    parser.add_argument(
        "--report", type=Path, metavar="HTML", help="write all of it as one page; needs jinja2"
    )
    parser.add_argument(
        "--svg", type=Path, metavar="SVG", help="write the PSNR plot alone, for a paper"
    )
    parser.add_argument(
        "--compare",
        metavar="NAME,NAME,...",
        help="pictures shown side by side in the report (default: two of the set)",
    )


def run(args: Namespace) -> int:
    codecs = split_codecs(args.codecs)
    qualities = {}
    for text in args.qualities:
        codec, equals, values = text.rpartition("=")
        if not equals or codec not in codecs:
            raise UsageError(f"--qualities {text!r}: CODEC=Q,Q,... of one of {', '.join(codecs)}")
        qualities[codec] = parse_qualities(values)
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


def check_before_work(args: Namespace, names: Sequence[str]) -> None:
    """Raise UsageError for whatever would otherwise fail after hours of measuring."""
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


def split_codecs(text: str) -> tuple[str, ...]:
    """Split at commas. A part that begins no codec and has a = is an option of the codec before it."""
    found: list[str] = []
    for part in filter(None, text.split(",")):
        is_codec = part.partition("@")[0].partition(":")[0] in CODECS
        if found and not is_codec and "=" in part and "@" in found[-1]:
            found[-1] += "," + part
        else:
            found.append(part)
    return tuple(dict.fromkeys(found))

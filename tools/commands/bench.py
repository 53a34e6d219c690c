"""Measure codecs against each other on a folder of pictures, or on clips.

nacre bench kodak/ --codecs nacre,jpeg,webp,avif --json results.json --report report.html
nacre bench kodak/ --codecs nacre,webp@method=4 --qualities webp@method=4=20,50,80
nacre bench kodak/ --codecs nacre,compressai:mbt2018-mean --timing
nacre bench uvg/*.y4m --frames 96 --codecs nacre,x264-medium-lowdelay,x265-medium --report clips.html

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
from nacre.tools.evaluate.clips.inputs import ClipSet
from nacre.tools.evaluate.clips.player import shown_clips
from nacre.tools.evaluate.clips.registry import CLIP_CODECS
from nacre.tools.evaluate.clips.registry import DEFAULT as DEFAULT_OF_CLIPS
from nacre.tools.evaluate.codecs.registry import CODECS, split_names
from nacre.tools.evaluate.curves import check_name
from nacre.tools.evaluate.report import environment, paper_plot, write_report
from nacre.tools.evaluate.results import table
from nacre.tools.evaluate.side_by_side import shown_pictures
from nacre.tools.evaluate.summary import matrix_table, metrics_of, spread_table
from nacre.tools.measuring import add_measuring_arguments, clips_of, exit_code, folder_of, measure
from nacre.tools.streams import write_output

DEFAULT = "nacre,jpeg,webp,jpeg2000,avif,jxl,heic"
OURS = ("nacre", "nacre-intra")  # take the model of --model


def add_arguments(parser: ArgumentParser) -> None:
    add_measuring_arguments(parser)
    parser.add_argument(
        "--codecs",
        metavar="C,C,...",
        help=f"codecs to measure (default: {DEFAULT}; on clips: {DEFAULT_OF_CLIPS})",
    )
    parser.add_argument(
        "--model", metavar="M", help="name or weights file of the codecs nacre and nacre-intra"
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
        help="pictures shown side by side in the report (default: two of the set), or clips (one)",
    )


def run(args: Namespace) -> int:
    clips = clips_of(args)
    default, known = (DEFAULT_OF_CLIPS, CLIP_CODECS) if clips else (DEFAULT, CODECS)
    codecs = split_names(args.codecs or default, known)
    qualities = {
        with_model(codec, args.model): found
        for codec, found in (sweep(text, codecs) for text in args.qualities)
    }
    codecs = tuple(with_model(codec, args.model) for codec in codecs)
    anchors = args.anchor
    names = args.compare.split(",") if args.compare else []
    check_before_work(args, clips, names)
    found = measure(args, codecs, qualities)
    if not args.quiet:
        print(table(found.codecs))
        print()
    for metric in metrics_of(found):
        print(matrix_table(found, anchors, metric))
    print(spread_table(found))
    if args.svg is not None:
        write_output(str(args.svg), paper_plot(found, anchors).encode(), force=True)
    if args.report is not None:
        shown = (
            shown_clips(found, clips, names)
            if clips
            else shown_pictures(found, folder_of(args, None), names)
        )
        write_report(args.report, found, anchors, shown)
    return exit_code(found)


def sweep(text: str, codecs: Sequence[str]) -> tuple[str, tuple[float, ...]]:
    """Parse CODEC=Q,Q,...; the name of a codec may have a = too. Raises UsageError."""
    codec, equals, numbers = text.rpartition("=")
    if not equals or codec not in codecs:
        raise UsageError(f"--qualities {text!r}: CODEC=Q,Q,... of one of {', '.join(codecs)}")
    return codec, values.qualities(numbers)


def with_model(codec: str, model: str | None) -> str:
    """The name of a codec, with the model where it is ours and names none."""
    head, at, options = codec.partition("@")
    return f"{head}:{model}{at}{options}" if model and head in OURS else codec


def check_before_work(args: Namespace, clips: ClipSet | None, names: Sequence[str]) -> None:
    """Raise UsageError for arguments that would fail only after hours of measuring."""
    for name in args.anchor:
        check_name(name)
    if args.report is not None:
        environment()
    folder = folder_of(args, clips)
    known = None if clips is None else {clip.name for clip in clips.clips}
    for name in names:
        if known is not None and name not in known:
            raise UsageError(f"--compare {name}: one of {', '.join(sorted(known))} wanted")
        if known is None and not (folder / name).is_file():
            raise UsageError(f"--compare {name}: no such picture in {folder}")
    for path in (args.json, args.report, args.svg):
        if path is not None and path.is_dir():
            raise UsageError(f"{path} is a folder, not a file to write")

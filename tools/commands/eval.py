"""Measure a model on a folder of pictures: encode, decode, compare.

nacre eval kodak/ --json ours.json
nacre eval kodak/ --model my.safetensors --qualities 10,30,50 --timing
nacre bdrate kodak:vtm-18.0 ours.json

Rows are appended to ours.jsonl beside ours.json as they are measured, and a run that was stopped goes on from
there. Seconds and memory are measured only with --timing, one picture at a time; else pictures run in parallel.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.tools.batch import SOME_FAILED
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.bench import run as run_plan
from nacre.tools.evaluate.results import Evaluation, table


def add_arguments(parser: ArgumentParser) -> None:
    add_measuring_arguments(parser)
    parser.add_argument(
        "--model", default="", metavar="M", help="name of a model, or a weights file"
    )
    parser.add_argument(
        "--qualities", metavar="Q,Q,...", help="1 to 100 (default: the sweep of nacre)"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")


def add_measuring_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that eval and bench share."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a folder of pictures")
    parser.add_argument(
        "--json", type=Path, metavar="OUT", help="summary; rows are kept beside it in OUT.jsonl"
    )
    parser.add_argument(
        "--timing", action="store_true", help="one picture at a time; seconds and memory"
    )
    parser.add_argument(
        "-j", "--jobs", type=int, metavar="N", help="pictures in parallel (default: cores)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="CPU threads of a process (default: all with --timing, else 1)",
    )
    parser.add_argument(
        "--lpips", action="store_true", help="measure LPIPS; needs the package lpips"
    )
    parser.add_argument("--quiet", action="store_true", help="print only errors and the table")


def run(args: Namespace) -> int:
    codec = "nacre" + (f":{args.model}" if args.model else "")
    options = [f"device={args.device}"] if args.device != "cpu" else []
    options += [f"precision={args.precision}"] if args.precision != "float32" else []
    codec += "@" + ",".join(options) if options else ""
    qualities = {codec: parse_qualities(args.qualities)} if args.qualities else {}
    found = measure(args, (codec,), qualities)
    print(table(found.codecs))
    return exit_code(found)


def parse_qualities(text: str) -> tuple[float, ...]:
    try:
        return tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        raise UsageError(f"qualities {text!r}: numbers with commas between them wanted") from None


def measure(
    args: Namespace, codecs: tuple[str, ...], qualities: dict[str, tuple[float, ...]]
) -> Evaluation:
    """Run the plan of a command line, with progress on stderr. Raises UsageError."""
    import os

    jobs = (os.cpu_count() or 1) if args.jobs is None else args.jobs
    if jobs < 1 or (args.threads is not None and args.threads < 1):
        raise UsageError("--jobs and --threads: at least 1")
    plan = Plan(
        args.dataset,
        codecs,
        qualities,
        args.json,
        1 if args.timing else jobs,
        args.timing,
        args.lpips,
        args.threads,
    )
    with _listener(args.quiet) as listener:
        return run_plan(plan, listener)


def exit_code(found: Evaluation) -> int:
    is_bad = found.unreadable or any(codec.failures for codec in found.codecs)
    return SOME_FAILED if is_bad else 0


@contextmanager
def _listener(quiet: bool) -> Iterator[Listener]:
    """Show a bar on a terminal; print a line for each message everywhere."""
    if quiet or not sys.stderr.isatty():
        yield Listener(
            say=lambda line: print(f"nacre: {line}", file=sys.stderr),
            advance=lambda codec, done, total: None,
        )
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def advance(codec: str, done: int, total: int) -> None:
            if codec not in tasks:
                tasks[codec] = bar.add_task(codec, total=total)
            bar.update(tasks[codec], completed=done)  # type: ignore[arg-type]

        yield Listener(lambda line: bar.console.print(line, markup=False, highlight=False), advance)

"""Options, progress and exit code of the commands that measure codecs: eval and bench."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nacre.codec.clips.writer import GOP
from nacre.entropy.errors import UsageError
from nacre.tools.batch import SOME_FAILED, say
from nacre.tools.evaluate import bench
from nacre.tools.evaluate.bench import Listener
from nacre.tools.evaluate.clips.inputs import ClipSet, clip_paths
from nacre.tools.evaluate.clips.reading import ClipInput
from nacre.tools.evaluate.results import Evaluation
from nacre.tools.evaluate.task import TaskChoice


def add_measuring_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that eval and bench share."""
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT",
        help="a folder of pictures, or clips: files, folders of them, patterns such as frames/%%05d.png",
    )  # fmt: skip
    parser.add_argument(
        "--json", type=Path, metavar="OUT",
        help="write the summary there, and each row to OUT with the suffix .jsonl",
    )  # fmt: skip
    parser.add_argument(
        "--timing", action="store_true",
        help="measure seconds and peak memory, one picture or clip at a time",
    )  # fmt: skip
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        metavar="N",
        help="pictures or clips in parallel (default: all cores)",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N",
        help="CPU threads of each process (default: all cores with --timing, else 1)",
    )  # fmt: skip
    parser.add_argument(
        "--lpips", action="store_true", help="measure LPIPS; needs the package lpips"
    )
    parser.add_argument(
        "--task", type=Path, metavar="CHECKPOINT",
        help="measure the accuracy of a classifier on the decoded pictures",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, metavar="FOLDER",
        help="its sub-folders are the classes of --task (default: INPUT)",
    )  # fmt: skip
    clips = parser.add_argument_group("clips")
    clips.add_argument(
        "--frames", type=int, metavar="N", help="measure the first N frames (default: all)"
    )
    clips.add_argument(
        "--gop", type=int, metavar="N",
        help=f"frames from one intra frame up to the next, at most (default: {GOP})",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print only errors and the table")


def clips_of(args: Namespace) -> ClipSet | None:
    """The clips of a command line; None if its inputs are pictures. Raises UsageError."""
    paths = clip_paths(args.inputs)
    for option, is_of_clips in (
        ("frames", True), ("gop", True), ("lpips", False), ("task", False), ("labels", False)
    ):  # fmt: skip
        if getattr(args, option) and is_of_clips != bool(paths):
            raise UsageError(f"--{option} is for {'clips' if is_of_clips else 'pictures'}")
    for option in ("frames", "gop"):
        if (value := getattr(args, option)) is not None and value < 1:
            raise UsageError(f"--{option} {value}: at least 1")
    if not paths:
        return None
    return ClipSet(tuple(ClipInput(path, args.frames) for path in paths), args.gop or GOP)


def folder_of(args: Namespace, clips: ClipSet | None) -> Path:
    """The folder of the pictures, or of the first clip. Raises UsageError for several folders of pictures."""
    if clips is not None:
        return clips.folder
    if len(args.inputs) > 1:
        raise UsageError(f"one folder of pictures is wanted, not {len(args.inputs)}")
    return Path(args.inputs[0])


def measure(
    args: Namespace, codecs: tuple[str, ...], qualities: dict[str, tuple[float, ...]]
) -> Evaluation:
    """Run the plan of a command line, with progress on stderr. Raises UsageError."""
    jobs = (os.cpu_count() or 1) if args.jobs is None else args.jobs
    if jobs < 1 or (args.threads is not None and args.threads < 1):
        raise UsageError("--jobs and --threads: at least 1")
    if args.labels is not None and args.task is None:
        raise UsageError("--labels is for --task")
    clips = clips_of(args)
    folder = folder_of(args, clips)
    plan = bench.Plan(
        folder,
        codecs,
        qualities,
        args.json,
        1 if args.timing else jobs,
        args.timing,
        args.lpips,
        args.threads,
        None if args.task is None else TaskChoice(args.task, args.labels or folder),
        clips,
    )
    with _listener(args.quiet) as listener:
        return bench.run(plan, listener)


def exit_code(found: Evaluation) -> int:
    is_bad = found.unreadable or any(codec.failures for codec in found.codecs)
    return SOME_FAILED if is_bad else 0


@contextmanager
def _listener(quiet: bool) -> Iterator[Listener]:
    """Show a bar for each codec on a terminal; print a line for each message everywhere."""
    if quiet or not sys.stderr.isatty():
        yield Listener(say=say, advance=lambda codec, done, total: None)
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

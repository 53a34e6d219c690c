"""Pack pictures into a data set of coded latents, for training.

nacre pack photos/ latents/ --size 256 --crop 256
nacre pack photos/ latents/ --labels labels.csv -q 40 -j 8
nacre pack train-000.tar train-001.tar latents/     # WebDataset
nacre pack photos/ latents/ --ray auto              # on the machines of a Ray cluster

Writes tar shards of nacre files and index.json; docs/latents.md describes both. Labels are the names of the
folders, or in a CSV file of lines "path,label". A run that was ended at any moment goes on when it is started
again. Pictures that cannot be packed are named, in the index too, and the exit code is then 3.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nacre.entropy.errors import UsageError
from nacre.tools import batch, values
from nacre.tools.plan import NAMED, few


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a folder of pictures, or tar files"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder, new or of the same run")
    parser.add_argument(
        "--model", default="nacre", help="name or weights file of the model (default: nacre)"
    )
    parser.add_argument(
        "-q", "--quality", type=int, default=60, metavar="1..100", help="100 is the best (default: 60)"
    )  # fmt: skip
    parser.add_argument(
        "--effort", type=int, default=0, metavar="0..9", help="of the search (default: 0, no search)"
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, metavar="PIXELS", help="scale the short side of every picture to it"
    )
    parser.add_argument(
        "--crop", type=int, metavar="PIXELS", help="cut a square of this side from the middle"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="CSV", help='a file of lines "path,label"; only these are packed'
    )  # fmt: skip
    parser.add_argument(
        "--shard-size", default="256MiB", metavar="BYTES", help="of a tar file, at most (default: 256MiB)"
    )  # fmt: skip
    parser.add_argument(
        "-j", "--jobs", type=int, metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS",
        help='run on a Ray cluster: its address, "auto", or "local" for one of this machine',
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    batch.add_network_arguments(parser)
    batch.add_limit_arguments(parser)


def run(args: Namespace) -> int:
    jobs = _jobs(args)
    size = round(values.size_bytes(args.shard_size, "--shard-size"))
    from nacre.datasets.latents.cluster import on_cluster
    from nacre.datasets.latents.packing import in_turn, pack_items, settings_of
    from nacre.datasets.latents.processes import in_processes
    from nacre.datasets.latents.sources import items_of

    args.threads = None
    batch.prepare_torch(args)
    settings = settings_of(
        args.quality, args.effort, args.size, args.crop,
        {"model": args.model, "device": args.device, "precision": args.precision, "limits": batch.limits(args)},
    )  # fmt: skip
    items = items_of(args.sources, args.labels)
    if args.ray is not None:
        coding: Any = on_cluster(args.ray, args.jobs)
    else:
        coding = in_turn if jobs == 1 else in_processes(jobs)
    with _bar(len(items), args.quiet) as advance:
        index = pack_items(items, args.out, settings, size, coding, advance)
    for bad in index.bad:
        batch.say(f"{bad.key}: {bad.error}")
    if not args.quiet:
        coded = sum(row.size for row in index.samples)
        batch.say(
            f"{len(index.samples)} samples of {coded} bytes in {len(index.shards)} shards; "
            f"{len(index.classes)} classes; {len(index.bad)} bad pictures"
        )
    if not index.bad:
        return 0
    if len(index.bad) > NAMED:
        batch.say(f"{len(index.bad)} pictures failed: {few([bad.key for bad in index.bad])}")
    return batch.SOME_FAILED if index.samples else 1


def _jobs(args: Namespace) -> int:
    if args.jobs is not None and args.jobs < 1:
        raise UsageError("--jobs: at least 1")
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return args.jobs or cores


@contextmanager
def _bar(total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, with the pictures a second and the time that is left; only on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)

"""Commands on many files: their options, and a loop that continues after a failed file."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from nacre.codec.container import Limits
from nacre.entropy.errors import NacreError, UsageError
from nacre.tools.plan import Job as Job
from nacre.tools.plan import by_suffix, few, find, pair
from nacre.tools.streams import STREAM as STREAM
from nacre.tools.streams import opened_input as opened_input
from nacre.tools.streams import partial_output as partial_output
from nacre.tools.streams import read_input as read_input
from nacre.tools.streams import refuse_existing as refuse_existing
from nacre.tools.streams import write_output as write_output

SOME_FAILED = 3  # exit code


def add_batch_arguments(parser: argparse.ArgumentParser, inputs: str) -> None:
    parser.add_argument(
        "inputs", nargs="+", metavar="IN", help=f"{inputs}, folders of them, or - for stdin"
    )
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="a file, - for stdout, or a folder for several"
    )
    parser.add_argument("-f", "--force", action="store_true", help="overwrite outputs that exist")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip inputs whose output exists, so that a second run resumes the first",
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for each file")


def plan(
    inputs: Sequence[str], output: str | None, suffixes: Iterable[str], suffix: str
) -> list[Job]:
    """Pair inputs with outputs; folders are searched for files with one of the `suffixes`.

    An output has the name of its input with `suffix`, beside it or below the folder `output`.
    Raises UsageError where there is no input, or where `output` does not fit the inputs.
    """
    suffixes = set(suffixes)
    return pair(find(inputs, by_suffix(suffixes)), output, suffix, suffixes)


def sources(inputs: Sequence[str], suffixes: Iterable[str]) -> list[Job]:
    """Jobs that only read."""
    found = find(inputs, by_suffix(suffixes))
    return [Job(source, STREAM) for source, _ in found.files] + found.problems


def say(message: str) -> None:
    print(f"nacre: {message}", file=sys.stderr)


def left_to_do(jobs: Sequence[Job], args: argparse.Namespace) -> list[Job]:
    """All jobs, or with --skip-existing those whose output does not exist."""
    if not args.skip_existing:
        return list(jobs)
    left = [job for job in jobs if job.target == STREAM or not os.path.isfile(job.target)]
    if len(left) < len(jobs) and not args.quiet:
        say(f"{len(jobs) - len(left)} of {len(jobs)} outputs exist")
    return left


def run_batch(jobs: Sequence[Job], do: Callable[[Job], str], args: argparse.Namespace) -> int:
    """Do every job, also after some have failed; `do` returns a line for --verbose.

    Returns the exit code: 0, 1 if every job failed, else SOME_FAILED. Errors of the whole command must be
    raised before this call: a UsageError is passed on only from a single job.
    """
    failed: list[str] = []
    with _progress(len(jobs), args.quiet) as advance:
        for job in jobs:
            try:
                if job.problem:
                    raise NacreError(job.problem)
                with _warnings_named(job.source, args.quiet):
                    line = do(job)
                if args.verbose and not args.quiet:
                    print(line, file=sys.stderr)
            except Exception as error:
                if _is_passed_on(error, len(jobs)):
                    raise
                failed.append(job.source)
                say(f"{job.source}: {_reason(error, job)}")
            except KeyboardInterrupt:
                if len(jobs) > 1:
                    say(f"interrupted at {job.source}")
                raise
            advance()
    if failed and len(jobs) > 1:
        say(f"{len(failed)} of {len(jobs)} files failed: {few(failed)}")
    if not failed:
        return 0
    return 1 if len(failed) == len(jobs) else SOME_FAILED


def _is_passed_on(error: Exception, jobs: int) -> bool:
    """Whether an error ends the batch."""
    if isinstance(error, BrokenPipeError):  # the reader of stdout has ended
        return True
    is_of_file = isinstance(error, (NacreError, OSError)) and not isinstance(error, UsageError)
    return jobs == 1 and not is_of_file


def _reason(error: Exception, job: Job) -> str:
    """The message of an error, with the name of its file if that is not the input of the job."""
    if isinstance(error, NacreError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    if not isinstance(error, OSError):
        return f"a fault of nacre, please report it: {type(error).__name__}: {error}"
    reason = error.strerror or str(error)
    named = job.source if error.filename is None else os.fsdecode(error.filename)
    return reason if named == job.source else f"{named}: {reason}"


@contextmanager
def _warnings_named(source: str, quiet: bool) -> Iterator[None]:
    """Print each warning as one line that names the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:  # after an error too: warnings may explain it
            texts = [w.message for w in caught if issubclass(w.category, UserWarning)]
            for text in () if quiet else texts:
                say(f"{source}: warning: {text}")


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr for several jobs; only on a terminal."""
    if total < 2 or quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def add_coding_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that encode and decode share."""
    parser.add_argument(
        "-j", "--threads", type=int, metavar="N", help="CPU threads (default: all cores)"
    )
    add_network_arguments(parser)
    add_limit_arguments(parser)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every command that runs networks to code."""
    parser.add_argument(
        "--device", default="cpu", help="where the networks run: cpu, cuda, ... (default: cpu)"
    )
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16"], default="float32",
        help="of the networks (default: float32)",
    )  # fmt: skip


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=2**28,
        metavar="N",
        help="refuse pictures with more pixels (default: 2^28)",
    )
    parser.add_argument(
        "--max-memory",
        type=float,
        default=4,
        metavar="GIB",
        help="refuse pictures that need more memory (default: 4)",
    )


def limits(args: argparse.Namespace) -> Limits:
    """The limits of the command line."""
    return Limits(pixels=args.max_pixels, memory_bytes=round(args.max_memory * (1 << 30)))


def prepare_torch(args: argparse.Namespace) -> None:
    """Set the number of threads and try the device, before the first network runs. Raises UsageError."""
    import torch

    if args.threads is not None:
        if args.threads < 1:
            raise UsageError("--threads: at least 1")
        torch.set_num_threads(args.threads)
    if args.device == "cpu":
        return
    try:
        torch.zeros(1, device=args.device).item()
    except (RuntimeError, AssertionError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"device {args.device!r} cannot be used: {why}") from error

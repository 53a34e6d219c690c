"""One file after the other: what goes where, nothing half-written, and going on past a bad one."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nacre.codec.chunks import FileBytes
from nacre.codec.container import Limits
from nacre.entropy.errors import NacreError, UsageError

STREAM = "-"  # standard input or output
SOME_FAILED = 3  # exit code


@dataclass(frozen=True)
class Job:
    """One file to make; either side may be a STREAM."""

    source: str
    target: str


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
        help="leave outputs that exist: a second run over a folder goes on where the first one ended",
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for each file")


def plan(
    inputs: Sequence[str], output: str | None, suffixes: Iterable[str], suffix: str
) -> list[Job]:
    """Pair inputs with outputs; folders are searched for files with one of the `suffixes`.

    Outputs take the input's name with `suffix`, beside it or below the folder `output`.
    Raises UsageError when two inputs would write one file, or several one stream.
    """
    found = list(_expand(inputs, {s.lower() for s in suffixes}))
    is_one = len(inputs) == 1 and not (inputs[0] != STREAM and Path(inputs[0]).is_dir())
    is_folder = output is not None and (output.endswith(("/", os.sep)) or Path(output).is_dir())
    if is_one and output is not None and not is_folder:
        return [Job(found[0][0], output)]
    if STREAM in inputs and not is_one:
        raise UsageError("stdin cannot be mixed with other inputs")
    if output == STREAM:
        raise UsageError("several files cannot go to one stdout")
    if is_one and found[0][0] == STREAM:
        return [Job(STREAM, STREAM)]
    if output is not None and Path(output).is_file():
        raise UsageError(f"{output} is a file; several outputs need a folder")
    jobs: list[Job] = []
    taken: dict[Path, str] = {}
    for source, relative in found:
        folder = Path(source).parent if output is None else Path(output) / relative.parent
        target = folder / (Path(source).stem + suffix)
        place = target.resolve()
        if place in taken:
            raise UsageError(f"{taken[place]} and {source} would both write {target}")
        taken[place] = source
        jobs.append(Job(source, str(target)))
    return jobs


def left_to_do(jobs: Sequence[Job], args: argparse.Namespace) -> list[Job]:
    """All jobs, or with --skip-existing those whose output is not there yet."""
    if not args.skip_existing:
        return list(jobs)
    left = [job for job in jobs if job.target == STREAM or not Path(job.target).is_file()]
    if len(left) < len(jobs) and not args.quiet:
        print(f"nacre: {len(jobs) - len(left)} of {len(jobs)} outputs exist", file=sys.stderr)
    return left


def _expand(inputs: Sequence[str], suffixes: set[str]) -> Iterator[tuple[str, Path]]:
    """Every file, with its path below the folder that was named."""
    for name in inputs:
        path = Path(name)
        if name != STREAM and path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file()
            )
            if not inside:
                raise UsageError(f"{name}: no file in this folder can be read here")
            yield from ((str(p), p.relative_to(path)) for p in inside)
        else:
            yield name, Path(path.name)


def read_input(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == STREAM else Path(name).read_bytes()


def write_output(name: str, data: bytes, force: bool) -> None:
    """Write a file whole or not at all: under another name first, then renamed."""
    if name == STREAM:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with partial_output(name, force) as partial, open(partial, "wb") as file:
        file.write(data)
        file.flush()
        if partial.is_file():  # not a device
            os.fsync(file.fileno())


@contextmanager
def partial_output(name: str, force: bool) -> Iterator[Path]:
    """Where to write; what is there at the end takes the name, and nothing is left when that fails."""
    target = Path(name).resolve()  # through a link, to what it names
    refuse_existing(name, force)
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to replace
        yield target
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    try:
        yield Path(partial)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, target)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


@contextmanager
def opened_input(name: str) -> Iterator[bytes | FileBytes]:
    """A file, of which what is looked at is read; a stream or a device is read whole."""
    if name == STREAM or not Path(name).is_file():
        yield read_input(name)
        return
    with open(name, "rb") as file:
        yield FileBytes(file)


def refuse_existing(name: str, force: bool) -> None:
    if name != STREAM and not force and (Path(name).is_file() or Path(name).is_dir()):
        raise NacreError(f"{name} exists; --force overwrites it")


def run_batch(jobs: Sequence[Job], do: Callable[[Job], str], args: argparse.Namespace) -> int:
    """Do every job, going on past those that fail; `do` returns a line for --verbose.

    Returns the exit code: 0, or 1 when the only job or all failed, or SOME_FAILED.
    """
    failed: list[str] = []
    with _progress(len(jobs), args.quiet) as advance:
        for job in jobs:
            try:
                with _warnings_named(job.source, args.quiet):
                    line = do(job)
                if args.verbose and not args.quiet:
                    print(line, file=sys.stderr)
            except UsageError:  # the command is wrong, not the file
                raise
            except (NacreError, OSError) as error:
                reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                failed.append(job.source)
                print(f"nacre: {job.source}: {reason}", file=sys.stderr)
            advance()
    if failed and len(jobs) > 1:
        names = ", ".join(failed)
        print(f"nacre: {len(failed)} of {len(jobs)} files failed: {names}", file=sys.stderr)
    if not failed:
        return 0
    return 1 if len(failed) == len(jobs) else SOME_FAILED


@contextmanager
def _warnings_named(source: str, quiet: bool) -> Iterator[None]:
    """Warnings as one line each that names the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    if not quiet:
        for warning in caught:
            if issubclass(warning.category, UserWarning):
                print(f"nacre: {source}: warning: {warning.message}", file=sys.stderr)


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar on stderr for more than one job, on a terminal only."""
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
    parser.add_argument(
        "--device", default="cpu", help="where the networks run: cpu, cuda, ... (default: cpu)"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    add_limit_arguments(parser)


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=2**28,
        metavar="N",
        help="refuse larger pictures (default: 2^28)",
    )
    parser.add_argument(
        "--max-memory",
        type=float,
        default=4,
        metavar="GIB",
        help="refuse what needs more (default: 4)",
    )


def limits(args: argparse.Namespace) -> Limits:
    """What the command line allows."""
    return Limits(pixels=args.max_pixels, memory_bytes=round(args.max_memory * (1 << 30)))


def prepare_torch(args: argparse.Namespace) -> None:
    """Thread count, before the first network runs."""
    import torch

    if args.threads is not None:
        if args.threads < 1:
            raise UsageError("--threads: at least 1")
        torch.set_num_threads(args.threads)

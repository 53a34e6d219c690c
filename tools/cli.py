"""The command `nacre`: imports the module of a sub-command, runs it, prints an error as one line."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from types import FrameType

from nacre.codec import threads
from nacre.entropy.errors import NacreError, UsageError

COMMANDS = {
    "encode": "encode pictures into nacre files",
    "decode": "decode nacre files into pictures",
    "info": "describe nacre files",
    "verify": "check that nacre files are whole and can be decoded here",
    "models": "list, add and remove models",
    "eval": "measure a model on a folder of pictures",
    "bench": "measure codecs against each other",
    "bdrate": "compare rate-distortion curves",
    "pack": "pack pictures into a data set of latents",
    "train": "train a model on pictures",
    "export": "export a trained model as a weights file",
}
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130  # exit codes; SOME_FAILED = 3 is in batch.py
SIGNALLED = 128  # exit code, and the number of the signal
THREADED = {
    "encode",
    "decode",
    "pack",
    "verify",
}  # train, eval and bench set their threads themselves


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser with the options of `command`; the modules of other commands are not imported."""
    parser = argparse.ArgumentParser(
        prog="nacre",
        description="A learned image codec whose files decode the same on every machine.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 some files of a batch failed, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"nacre {version('nacre')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if name == command:
            module = import_module(f"nacre.tools.commands.{name}")
            sub = commands.add_parser(
                name,
                help=summary,
                description=module.__doc__,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
        else:
            commands.add_parser(name, help=summary, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in arguments if a in COMMANDS), None)
    _make_streams_safe()
    if command in THREADED:
        threads.wait_asleep()
    try:
        with _ended_by_signals():
            args = build_parser(command).parse_args(arguments)
            code = int(args.run(args))
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a closed pipe is handled
            return code
    except UsageError as error:
        return _say(str(error), WRONG_USAGE)
    except NacreError as error:
        return _say(str(error), FAILED)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        name = "input or output" if error.filename is None else os.fsdecode(error.filename)
        return _say(f"{name}: {error.strerror or error}", FAILED)


def _make_streams_safe() -> None:
    """Make every file name printable in any locale; messages to a closed stderr are dropped."""
    if sys.stderr is None:  # print() would write messages to stdout, which may be the output file
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Turn signals that end the process into SystemExit, so that partial files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    own = [n for n in numbers if signal.getsignal(n) == signal.SIG_DFL]

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(SIGNALLED + number)

    for number in own:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in own:
            signal.signal(number, signal.SIG_DFL)


def _say(message: str, code: int) -> int:
    print(f"nacre: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())

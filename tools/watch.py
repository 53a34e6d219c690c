"""Shows the progress of a long search, and lets Ctrl-C end the search with its best result so far."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def watched(quiet: bool, is_search: bool = True) -> Iterator[Callable[[float], bool]]:
    """Yield the `goes_on` of `codec.encode`: False after a first Ctrl-C. A second Ctrl-C interrupts at once.

    After a first Ctrl-C, KeyboardInterrupt is raised at the end, after the result is written. Without
    `is_search` nothing is watched.
    """
    if not is_search:
        yield lambda share: True
        return
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()
        print("nacre: ending the search; press Ctrl-C again to write no file", file=sys.stderr)

    before = signal.getsignal(signal.SIGINT)
    is_ours = threading.current_thread() is threading.main_thread() and before != signal.SIG_IGN
    if is_ours:
        signal.signal(signal.SIGINT, stop)
    try:
        with _bar(quiet) as show:

            def goes_on(share: float) -> bool:
                show(share)
                return not stopped.is_set()

            yield goes_on
    except Exception as error:  # of any kind: the user has ended the batch
        if stopped.is_set():
            print(f"nacre: {error}", file=sys.stderr)
            raise KeyboardInterrupt from error
        raise
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, before)
    if stopped.is_set():
        raise KeyboardInterrupt


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[float], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("searching", total=1.0)
        yield lambda share: bar.update(task, completed=share)

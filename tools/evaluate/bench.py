"""Codecs over a folder of pictures: in processes of their own, resumable, going on past what fails."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools.evaluate.codecs.base import CodecMissing
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.measure import Task, open_picture, run_task
from nacre.tools.evaluate.results import CodecResult, Evaluation, Failure, Row, read_evaluation

SUFFIXES = (".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Plan:
    """What is to be measured."""

    folder: Path
    codecs: tuple[str, ...]
    qualities: Mapping[str, tuple[float, ...]]  # by codec; others run their own sweep
    json: Path | None = None  # results are kept here after every picture, and taken up from here
    jobs: int = 1
    is_timed: bool = False
    with_lpips: bool = False
    threads: int | None = None


@dataclass(frozen=True)
class Listener:
    """How the run tells what happens."""

    say: Callable[[str], None]
    advance: Callable[[str, int, int], None]  # codec, pictures done, pictures in all


def run(plan: Plan, listener: Listener) -> Evaluation:
    """Everything of the plan that is not in its JSON yet. Raises UsageError when nothing can be done."""
    found = _begin(plan, listener)
    for name in plan.codecs:
        try:
            codec = create(name)
        except CodecMissing as error:
            found.skipped[name] = str(error)
            listener.say(f"{name}: skipped: {error}")
            continue
        found.skipped.pop(name, None)
        fresh = CodecResult(name, codec.label, codec.settings, codec.version)
        result = _kept(found, fresh, listener)
        listener.say(f"{name}: {codec.label}: {codec.settings} [{codec.version}]")
        tasks = _tasks(plan, found, result, plan.qualities.get(name) or codec.qualities)
        del codec  # the worker processes have their own
        for done, (task, rows) in enumerate(_all_done(tasks, plan), 1):
            _add(result, task, rows, listener)
            listener.advance(name, done, len(tasks))
            if plan.json is not None:
                found.write(plan.json)
        if result.rows and len(result.complete()) < len(found.pictures):
            listener.say(
                f"{name}: warning: the curve is a mean over {len(result.complete())} of "
                f"{len(found.pictures)} pictures"
            )
    if plan.json is not None:
        found.write(plan.json)
    if not any(codec.rows for codec in found.codecs):
        raise UsageError("nothing was measured: no codec could be run")
    return found


def _begin(plan: Plan, listener: Listener) -> Evaluation:
    """What an earlier run left in the JSON, or a new evaluation."""
    if not plan.folder.is_dir():
        raise UsageError(f"{plan.folder} is not a folder")
    paths = sorted(p for p in plan.folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UsageError(f"{plan.folder}: no picture in this folder")
    pictures, unreadable = {}, {}
    for path in paths:
        try:
            image = open_picture(path)
        except ImageError as error:
            unreadable[path.name] = str(error)
            listener.say(f"{error}: left out")
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pictures[path.name] = {"width": image.width, "height": image.height, "sha256": digest}
    if not pictures:
        raise UsageError(f"{plan.folder}: none of {len(paths)} pictures can be read")
    new = Evaluation(plan.folder.resolve().name, machine(plan), pictures, unreadable=unreadable)
    if plan.json is None or not plan.json.exists():
        return new
    old = read_evaluation(plan.json)
    same = {name for name, facts in pictures.items() if old.pictures.get(name) == facts}
    for codec in old.codecs:
        codec.rows = [row for row in codec.rows if row.picture in same]
        codec.failures = []  # tried again
    return replace(new, codecs=old.codecs, skipped=old.skipped)


def machine(plan: Plan) -> dict[str, Any]:
    """Where and how this was measured."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "jobs": plan.jobs,
        "threads": plan.threads or torch.get_num_threads(),
        "timed": plan.is_timed,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),
    }


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _kept(found: Evaluation, fresh: CodecResult, listener: Listener) -> CodecResult:
    """The codec's earlier rows, unless they are of other settings or another version."""
    old = found.codec(fresh.codec)
    if old is None:
        found.codecs.append(fresh)
        return fresh
    if (old.settings, old.version) != (fresh.settings, fresh.version):
        listener.say(f"{fresh.codec}: measured anew: it was {old.settings} [{old.version}]")
        found.codecs[found.codecs.index(old)] = fresh
        return fresh
    return old


def _tasks(
    plan: Plan, found: Evaluation, result: CodecResult, qualities: Sequence[float]
) -> list[Task]:
    """One for each picture that misses a quality. With seconds asked for, rows without are measured anew."""
    if plan.is_timed:
        result.rows = [row for row in result.rows if row.encode_seconds is not None]
    if plan.with_lpips:
        result.rows = [row for row in result.rows if row.lpips is not None]
    result.rows = [row for row in result.rows if row.quality in qualities]
    done = {(row.picture, row.quality) for row in result.rows}
    tasks = []
    for name in found.pictures:
        left = tuple(q for q in qualities if (name, q) not in done)
        if left:
            tasks.append(
                Task(
                    result.codec,
                    plan.folder / name,
                    left,
                    plan.is_timed,
                    plan.with_lpips,
                    plan.threads if plan.jobs == 1 else 1,
                )
            )
    return tasks


def _add(
    result: CodecResult, task: Task, rows: Sequence[Row | Failure], listener: Listener
) -> None:
    for row in rows:
        if isinstance(row, Row):
            result.rows.append(row)
        else:
            result.failures.append(row)
            listener.say(f"{task.codec}: {row.picture} at {row.quality}: {row.reason}")
    result.rows.sort(key=lambda row: (row.picture, row.quality))


def _all_done(tasks: Sequence[Task], plan: Plan) -> Iterator[tuple[Task, Sequence[Row | Failure]]]:
    """Every task with what came of it. A process that dies takes its own task along and no other."""
    alone: list[Task] = []
    with _pool(plan.jobs) as pool:
        futures: dict[Future[list[Row | Failure]], Task] = {
            pool.submit(run_task, task): task for task in tasks
        }
        try:
            for future in as_completed(futures):
                try:
                    rows = future.result()
                except BrokenProcessPool:  # of this or of another task that was under way
                    alone.append(futures[future])
                    continue
                yield futures[future], rows
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    pool = _pool(1)
    for task in alone:
        try:
            yield task, pool.submit(run_task, task).result()
        except BrokenProcessPool:
            pool = _pool(1)
            reason = "the process died"
            yield task, [Failure(task.picture.name, q, reason) for q in task.qualities]
    pool.shutdown()


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Spawned, not forked: thread pools do not live through a fork."""
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))

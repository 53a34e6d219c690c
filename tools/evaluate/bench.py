"""Runs codecs over a folder of pictures or over clips; resumable, and a failure does not stop the run."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools.evaluate import metrics
from nacre.tools.evaluate.clips.codec import Conditions
from nacre.tools.evaluate.clips.inputs import ClipSet
from nacre.tools.evaluate.clips.measure import ClipTask
from nacre.tools.evaluate.clips.registry import create as create_for_clips
from nacre.tools.evaluate.codecs.base import CodecMissing, Described
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.evaluate.measure import Task, in_utf8, open_picture
from nacre.tools.evaluate.results import (
    CodecResult,
    Evaluation,
    Failure,
    Machine,
    PictureFacts,
    Row,
    Seen,
    read_evaluation,
)
from nacre.tools.evaluate.store import SUFFIX, Setup, Store
from nacre.tools.evaluate.task import TaskChoice, take_up_task
from nacre.tools.evaluate.workers import WorkerTask, run_all

SUFFIXES = (".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Plan:
    """Codecs, pictures and conditions of a run."""

    folder: Path
    codecs: tuple[str, ...]
    qualities: Mapping[str, tuple[float, ...]]  # by codec; others run their own sweep
    json: Path | None = None  # the summary; rows are kept beside it, see `rows_path`
    jobs: int = 1
    is_timed: bool = False
    with_lpips: bool = False
    threads: int | None = None  # of each process; None: all with timing, else 1
    task: TaskChoice | None = None
    clips: ClipSet | None = None  # in place of the pictures of the folder

    def create(self, name: str, threads: int) -> Described:
        """Make a codec. Raises UsageError and CodecMissing."""
        if self.clips is None:
            return create(name)
        return create_for_clips(name, Conditions(self.clips.gop, threads))

    @property
    def rows_path(self) -> Path | None:
        """The JSON Lines file that rows are appended to and taken from."""
        if self.json is None:
            return None
        stem = self.json.with_suffix("") if self.json.suffix in (".json", SUFFIX) else self.json
        return stem.with_name(stem.name + SUFFIX)

    @property
    def summary_path(self) -> Path | None:
        """The summary file; None if the suffix of `json` asks for the rows alone."""
        return None if self.json == self.rows_path else self.json


@dataclass(frozen=True)
class Listener:
    """Receives messages and progress of a run."""

    say: Callable[[str], None]
    advance: Callable[[str, int, int], None]  # codec, pictures done, pictures in all


def run(plan: Plan, listener: Listener) -> Evaluation:
    """Measure the rows of the plan that its rows file lacks, and return all rows of the plan.

    Raises UsageError when nothing can be measured.
    """
    if plan.with_lpips:
        metrics.require_lpips()
    found = _begin(plan, listener)
    if plan.task is not None:
        take_up_task(plan.task, plan.folder, found, listener.say)
    sweeps = _sweeps(plan, found, listener)
    with Store(plan.rows_path) as store:
        if plan.summary_path is not None and plan.summary_path.exists():
            store.take_up(read_evaluation(plan.summary_path))
        for codec in found.codecs:
            _Measuring(plan, found, store, listener, codec).run(sweeps[codec.codec])
    if not any(codec.rows for codec in found.codecs):
        raise UsageError("nothing was measured: no codec could be run")
    if plan.summary_path is not None:
        found.write(plan.summary_path)
    return found


def _begin(plan: Plan, listener: Listener) -> Evaluation:
    """Return an evaluation of the pictures or clips, without codecs."""
    dataset = plan.folder.resolve().name
    if plan.clips is not None:
        readable, unreadable = plan.clips.facts(listener.say)
        return Evaluation(dataset, machine(plan), readable, unreadable=unreadable)
    if not plan.folder.is_dir():
        raise UsageError(f"{plan.folder} is not a folder")
    inside = plan.folder.glob("*" if plan.task is None else "**/*")
    paths = sorted(p for p in inside if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise UsageError(f"{plan.folder}: no picture in this folder")
    pictures, unreadable = {}, {}
    for path in paths:
        name = path.relative_to(plan.folder).as_posix()
        try:
            image = open_picture(path)
        except ImageError as error:
            unreadable[in_utf8(name)] = str(error)
            listener.say(f"{error}: left out")
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pictures[name] = PictureFacts(image.width, image.height, digest)
    if not pictures:
        raise UsageError(f"{plan.folder}: none of {len(paths)} pictures can be read")
    return Evaluation(dataset, machine(plan), pictures, unreadable=unreadable)


def _sweeps(plan: Plan, found: Evaluation, listener: Listener) -> dict[str, tuple[float, ...]]:
    """Add the codecs of the plan to the evaluation, without rows, and return their qualities.

    Makes all codecs before any runs, so that a wrong name is reported at once.
    """
    sweeps = {}
    for name in plan.codecs:
        try:
            codec = plan.create(name, found.machine.threads)
        except CodecMissing as error:
            found.skipped[name] = str(error)
            listener.say(f"{name}: skipped: {error}")
            continue
        found.codecs.append(CodecResult(name, codec.label, codec.settings, codec.version))
        sweeps[name] = tuple(sorted(set(plan.qualities.get(name) or codec.qualities)))
        listener.say(f"{name}: {codec.label}: {codec.settings} [{codec.version}]")
    return sweeps


def machine(plan: Plan) -> Machine:
    """Describe this machine and the conditions of the run."""
    import torch

    return Machine(
        processor=processor(),
        cores=os.cpu_count(),
        jobs=plan.jobs,
        threads=plan.threads or (torch.get_num_threads() if plan.is_timed else 1),
        timed=plan.is_timed,
        python=platform.python_version(),
        torch=str(torch.__version__),
        system=f"{platform.system()} {platform.machine()}",
        date=date.today().isoformat(),
    )


def processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


@dataclass(frozen=True)
class _Measuring:
    """One codec of a run."""

    plan: Plan
    found: Evaluation
    store: Store
    listener: Listener
    result: CodecResult

    def run(self, qualities: Sequence[float]) -> None:
        """Measure the rows that the store lacks, then fill the result from the store."""
        result, pictures = self.result, self.found.pictures
        older = self.store.setups_of(result.codec)
        if older and not any(
            (s.settings, s.version) == (result.settings, result.version) for s in older
        ):
            was = f"{older[-1].settings} [{older[-1].version}]"
            self.listener.say(f"{result.codec}: measured anew: it was {was}")
        self._measure(self._tasks(qualities))
        rows = (self._stored(picture, quality) for picture in pictures for quality in qualities)
        result.rows = [row for row in rows if row is not None]
        if result.rows and len(result.complete()) < len(pictures):
            self.listener.say(
                f"{result.codec}: warning: the curve is a mean over {len(result.complete())} of "
                f"{len(pictures)} {self.found.noun}s"
            )

    @cached_property
    def _setup(self) -> Setup:
        return Setup.of(self.result, self.found.machine)

    def _stored(self, picture: str, quality: float) -> Row | None:
        """Return the row of a picture under its present name."""
        row = self.store.find(self._setup, self.found.pictures[picture].sha256, quality)
        if row is None or (self.plan.with_lpips and row.lpips is None):
            return None
        return self._judged(replace(row, picture=picture))

    def _judged(self, row: Row) -> Row | None:
        """Return the row with its accuracy; None where this run's classifier has not seen the picture."""
        task = self.found.task
        if task is None:
            return replace(row, seen=UNSET)
        if not isinstance(row.seen, Seen) or row.seen.task != task.id:
            return None
        is_right = row.seen.prediction == self.found.pictures[row.picture].label
        return replace(row, seen=replace(row.seen, is_right=is_right))

    def _tasks(self, qualities: Sequence[float]) -> list[WorkerTask]:
        """Return a task for each picture or clip that lacks a row; one for several of equal content."""
        different = {facts.sha256: name for name, facts in reversed(self.found.pictures.items())}
        left = {
            name: tuple(q for q in qualities if self._stored(name, q) is None)
            for name in sorted(different.values())
        }
        return [self._task(name, own) for name, own in left.items() if own]

    def _task(self, name: str, qualities: tuple[float, ...]) -> WorkerTask:
        plan, codec, threads = self.plan, self.result.codec, self.found.machine.threads
        if plan.clips is not None:
            conditions = Conditions(plan.clips.gop, threads)
            return ClipTask(codec, plan.clips.named(name), qualities, conditions, plan.is_timed)
        checkpoint = None if plan.task is None else plan.task.checkpoint
        path, is_timed, with_lpips = plan.folder / name, plan.is_timed, plan.with_lpips
        return Task(codec, path, qualities, is_timed, with_lpips, threads, name, checkpoint)

    def _measure(self, tasks: Sequence[WorkerTask]) -> None:
        """Run the tasks and store each result as it comes."""
        codec, done = self.result.codec, 0
        left = {task.label: len(task.qualities) for task in tasks}
        for task, row in run_all(tasks, self.plan.jobs):
            name = task.label
            self.store.add(self._setup, self.found.dataset, self.found.pictures[name].sha256, row)
            if isinstance(row, Failure):
                self.result.failures.append(row)
                self.listener.say(f"{codec}: {name} at {row.quality}: {row.reason}")
            left[name] -= 1
            if not left[name]:
                done += 1
                self.listener.advance(codec, done, len(tasks))

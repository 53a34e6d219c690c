"""Accuracy of a classifier over rate: labels by folder, rows kept by classifier, a line in the report."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch

from nacre.entropy.errors import UsageError
from nacre.tools.cli import main
from nacre.tools.evaluate import bench
from nacre.tools.evaluate.bench import Listener, Plan
from nacre.tools.evaluate.report import page
from nacre.tools.evaluate.results import Evaluation, read_evaluation
from nacre.tools.evaluate.task import TaskChoice, take_up_task
from nacre.tools.tasks import ClassifierConfig, Fitting, TaskCheckpoint, TaskClassifier, fit
from nacre.tools.tasks.labelled import read_folder

QUALITIES = (5.0, 90.0)


@pytest.fixture(scope="module")
def checkpoint(coloured, tmp_path_factory):
    """A classifier of the coloured discs."""
    train = read_folder(coloured / "train")
    torch.manual_seed(0)
    network = TaskClassifier(ClassifierConfig(3, patch=16, width=16, blocks=1))
    how = Fitting(epochs=12, batch=12, learning_rate=4e-3)
    fit(network, train.pixels(64), torch.tensor(train.labels), how)
    path = tmp_path_factory.mktemp("task") / "discs.safetensors"
    TaskCheckpoint(network, train.classes, 64).save(path)
    return path


@pytest.fixture(scope="module")
def measure(coloured, checkpoint):
    """Measures JPEG on labelled pictures with a classifier; gives the evaluation and what was said."""

    def run(folder=coloured / "test", labels=None, checkpoint=checkpoint, **more):
        said: list[str] = []
        choice = TaskChoice(checkpoint, labels or folder)
        plan = Plan(folder, ("jpeg",), {"jpeg": QUALITIES}, task=choice, **more)
        return bench.run(plan, Listener(said.append, lambda *_: None)), said

    return run


@pytest.fixture(scope="module")
def measured(measure, tmp_path_factory):
    path = tmp_path_factory.mktemp("measured") / "r.json"
    return (*measure(json=path), path)


def test_accuracy_is_that_of_the_classifier_on_what_is_decoded(measured):
    found, said, _ = measured
    assert len(found.pictures) == 12
    assert all(facts.label == name.split("/")[0] for name, facts in found.pictures.items())
    means = found.codecs[0].means()
    right = [
        row for row in found.codecs[0].rows if row.seen.prediction == row.picture.split("/")[0]
    ]
    assert sum(means["accuracy"]) == pytest.approx(len(right) / 12)
    assert found.task.accuracy > 0.9 and means["accuracy"][-1] == found.task.accuracy
    assert any("originals are recognised" in line for line in said)


def test_rows_are_kept_for_the_classifier_that_saw_them(measure, measured, tmp_path, checkpoint):
    first, _, path = measured
    kept = path.with_suffix(".jsonl")
    lines = kept.read_bytes().splitlines()
    again, _ = measure(json=path)
    assert kept.read_bytes().splitlines() == lines
    assert again.codecs == first.codecs == read_evaluation(path).codecs
    task = TaskCheckpoint.load(checkpoint)
    swapped = TaskCheckpoint(task.network, ("green", "blue", "red"), 64)
    swapped.save(tmp_path / "other.safetensors")
    other, _ = measure(json=path, checkpoint=tmp_path / "other.safetensors")
    assert len(kept.read_bytes().splitlines()) == len(lines) + 24
    assert other.task.accuracy < first.task.accuracy


def test_labels_are_those_of_the_folder_or_of_namesakes(measured, checkpoint, coloured, tmp_path):
    found = measured[0]
    for name in ("flat", "none", "set"):
        (tmp_path / name).mkdir()

    def labels(folder, choice, names):
        pictures = dict.fromkeys(names, next(iter(found.pictures.values())))
        evaluation = Evaluation("", found.machine, pictures)
        take_up_task(TaskChoice(checkpoint, choice), folder, evaluation, lambda _: None)
        return [facts.label for facts in evaluation.pictures.values()]

    for path in (coloured / "test").glob("*/*-0.png"):
        shutil.copy(path, tmp_path / "flat")
    names = [f"{name}-0.png" for name in ("red", "blue")]
    assert labels(tmp_path / "flat", coloured / "test", names) == ["red", "blue"]
    with pytest.raises(UsageError, match=r"wanted, found none"):
        labels(tmp_path / "flat", tmp_path / "none", names)
    shutil.copytree(coloured / "test" / "red", tmp_path / "set" / "purple")
    with pytest.raises(UsageError, match="'purple' is none of blue, green, red"):
        labels(tmp_path / "set", tmp_path / "set", ["purple/red-0.png"])


def test_the_report_draws_accuracy_and_the_level_of_the_originals(measured):
    found = copy.copy(measured[0])
    text = page(found, ())
    assert text.count("accuracy of discs.safetensors, %") >= 2
    assert text.count('data-series="originals"') >= 2 and "recognised as" in text
    found.task = None
    assert "recognised as" not in page(found, ())


def test_the_command_prints_accuracy(coloured, checkpoint, tiny, tmp_path, capsys):
    out = tmp_path / "r.json"
    where = [str(coloured / "test"), "--task", str(checkpoint), "-j", "1", "--quiet"]
    assert (
        main(["eval", *where, "--model", str(tiny), "--qualities", "50", "--json", str(out)]) == 0
    )
    assert "accuracy, %" in capsys.readouterr().out
    codec = json.loads(out.read_text())["codecs"][0]
    assert len(codec["accuracy"]) == 1 and codec["pictures"] == 12
    assert main(["eval", str(coloured), "--labels", str(coloured)]) == 2

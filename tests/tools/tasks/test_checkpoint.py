"""A task checkpoint gives back the network; damaged ones are refused by name."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from nacre.entropy.errors import UsageError, WeightsError
from nacre.tools.tasks import ClassifierConfig, TaskCheckpoint, TaskClassifier


@pytest.fixture
def saved(tmp_path):
    network = TaskClassifier(ClassifierConfig(2, patch=8, width=8, blocks=1))
    network.standardise(torch.rand(4, 3, 16, 16))
    task = TaskCheckpoint(network, ("cat", "dog"), 32)
    task.save(tmp_path / "task.safetensors")
    return task, tmp_path / "task.safetensors"


def test_what_is_loaded_answers_as_what_was_saved(saved):
    task, path = saved
    again = TaskCheckpoint.load(path)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(task.network(x), again.network(x))
    assert (again.classes, again.side, again.reads) == (task.classes, 32, "pixels")
    assert len(again.id) == 16 and not any(p.requires_grad for p in again.network.parameters())


def test_a_picture_is_prepared_as_in_training(saved):
    task, _ = saved
    wide = Image.new("RGB", (100, 50))
    wide.paste((255, 0, 0), (30, 0, 70, 50))
    pixels = task.pixels(wide)
    assert pixels.shape == (3, 32, 32) and float(pixels[0, :, 16].min()) == 1.0
    assert task.recognise(wide) in ("cat", "dog")


def test_other_files_are_refused(saved, tiny, tmp_path):
    task, path = saved
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError, match="no task checkpoint"):
        TaskCheckpoint.load(path)
    with pytest.raises(WeightsError, match="no task checkpoint"):
        TaskCheckpoint.load(tiny)
    with pytest.raises(UsageError, match="missing"):
        TaskCheckpoint.load(tmp_path / "missing")
    with pytest.raises(ValueError, match="1 names for 2 classes"):
        TaskCheckpoint(task.network, ("cat",), 32)

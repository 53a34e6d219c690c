"""Shared by the tests of the commands."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.tools.cli import main
from tests.tools.tasks.coloured import write_pictures

RECIPE = """
[data]
pictures = ["pictures"]
held_out = ["pictures/0.png"]
synthetic_share = 0.0
synthetic_pictures = 3
odd_pictures = 1

[model]
width8 = 16
width16 = 24
latent = 32
hyper = 8
hyper_analysis_width = 16
hyper_width = 16
context = 16
scale_width = 8
blocks8 = 1
blocks16 = 1
knots = 2

[steps]
batch = 4
crop = 64
learning_rate = 1e-3
warmup_steps = 5
ema = 0.9

[routine]
checkpoint_minutes = 5.0
log_steps = 10
"""


@pytest.fixture
def folder(tmp_path, photo, monkeypatch) -> Path:
    """A folder with two pictures, one in a folder below, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("in/below").mkdir(parents=True)
    photo.save("in/one.png")
    photo.convert("L").save("in/below/two.png")
    return tmp_path


@pytest.fixture(scope="session")
def texture() -> Callable[..., Image.Image]:
    """Makes noise with the falling spectrum of a photograph."""

    @cache
    def make(width: int, height: int, seed: int = 0) -> Image.Image:
        random = np.random.default_rng(seed)
        total = np.zeros((height, width, 3), np.float32)
        for step in (1, 4, 16, 64):
            shape = (height // step + 1, width // step + 1)
            for channel in range(3):
                coarse = random.normal(0, 4 * step**0.6, shape).astype(np.float32)
                fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)
                total[..., channel] += np.asarray(fine)
        return Image.fromarray(np.clip(total + 120, 0, 255).astype(np.uint8))

    return make


@pytest.fixture(scope="session")
def coded() -> Callable[..., bytes]:
    def make(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return make


@pytest.fixture
def git(tmp_path) -> Callable[..., str]:
    """Runs git in the repository tmp_path/owner+name, which it makes."""

    def run(*arguments: str) -> str:
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", *names, "-C", str(tmp_path / "owner+name"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "owner+name").mkdir()
    run("init", "--quiet", "--initial-branch=main")
    return run


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(scope="session")
def training_folder(tmp_path_factory, photo) -> Path:
    """Two pictures and the recipe tiny.toml of a tiny model; not to be changed."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "pictures").mkdir()
    for i in range(2):
        photo.resize((300, 280)).rotate(90 * i).save(folder / "pictures" / f"{i}.png")
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="session")
def learned(training_folder, tmp_path_factory) -> Path:
    """The same with a run of 60 steps in `run`, exported as mine.safetensors; not to be changed."""
    folder = tmp_path_factory.mktemp("learned") / "folder"
    shutil.copytree(training_folder, folder)
    with inside(folder):
        train = ["train", "tiny.toml", "-o", "run", "--precision", "float32", "--steps", "60"]
        export = ["export", "run", "-o", "mine.safetensors", "--name", "mine", "--pictures", "2"]
        assert main(train) == main(export) == 0
    return folder


@pytest.fixture
def place(training_folder, tmp_path, monkeypatch) -> Path:
    """A copy of the training folder, the current one."""
    shutil.copytree(training_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def coloured(tmp_path_factory) -> Path:
    """Labelled pictures in train/ and test/; the class is the colour of a disc. Not to be changed."""
    folder = tmp_path_factory.mktemp("coloured")
    write_pictures(folder / "train", 12, seed=0)
    write_pictures(folder / "test", 4, seed=1)
    return folder

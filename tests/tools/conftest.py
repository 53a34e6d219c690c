"""Shared by the tests of the commands."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


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

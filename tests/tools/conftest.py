"""Shared by the tests of the commands."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path, photo, monkeypatch) -> Path:
    """A folder with two pictures, one in a folder below, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    Path("in/below").mkdir(parents=True)
    photo.save("in/one.png")
    photo.convert("L").save("in/below/two.png")
    return tmp_path

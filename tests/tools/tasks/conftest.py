"""Shared by the tests of tasks: labelled pictures whose class is the colour of a shape on noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from .coloured import write_pictures


@pytest.fixture(scope="session")
def coloured(tmp_path_factory) -> Path:
    """train/ and test/ with the classes blue, green and red; not to be changed."""
    folder = tmp_path_factory.mktemp("coloured")
    write_pictures(folder / "train", 12, seed=0)
    write_pictures(folder / "test", 4, seed=1)
    return folder

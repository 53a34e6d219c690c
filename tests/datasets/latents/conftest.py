"""Shared by the tests of latent data sets: small pictures, packed with the tiny model."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from nacre.datasets import pack
from nacre.datasets.latents.index import Index
from tests.conftest import TINY

COUNT = 11
SHARD = 4096  # bytes: a few samples


@pytest.fixture(scope="session")
def samples() -> list[tuple[str, bytes, int | None]]:
    """(key, picture file, label): pieces of a photograph, of several sizes."""
    photo = Image.open(Path(__file__).parents[3] / "tools" / "demo" / "beacon-street.png")
    found = []
    for k in range(COUNT):
        out = io.BytesIO()
        box = (20 * k, 10 * k, 20 * k + 40 + 8 * (k % 3), 10 * k + 36)
        photo.convert("RGB").crop(box).save(out, "PNG")
        found.append((f"folder/{k:02}", out.getvalue(), None if k == 5 else k % 3))
    return found


@pytest.fixture(scope="session")
def packed_once(samples, tmp_path_factory) -> tuple[Path, Index]:
    folder = tmp_path_factory.mktemp("packed") / "set"
    return folder, pack(samples, folder, shard_size=SHARD, model=TINY)


@pytest.fixture
def packed(packed_once, tmp_path) -> Path:
    """A data set of COUNT samples; a copy, to be changed at will."""
    shutil.copytree(packed_once[0], tmp_path / "set")
    return tmp_path / "set"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

"""Learning from latents and from pixels: a study of seconds on coloured discs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.studies.learning import __main__ as learning
from nacre.tools.studies.learning.stored import as_latents, as_pixels, quality_for, shrunk, through
from nacre.tools.tasks import TaskCheckpoint
from nacre.tools.tasks.labelled import read_folder

PAGE = Path(__file__).parents[3] / "docs" / "learning.md"


@pytest.fixture(scope="module")
def pixels(coloured):
    return read_folder(coloured / "test").pixels(64)


def test_the_docs_have_the_figures_that_were_measured(results):
    assert learning.table(results("learning.json")) in PAGE.read_text()


def test_every_part_is_measured(figures, coloured, tiny, tmp_path):
    found = figures(
        learning, str(coloured), "--models", str(tiny), "--side", "64", "--small", "8",
        "--seeds", "2", "--epochs", "1", "--restoring-epochs", "1", "--width", "16", "--limit", "2",
        "--save", str(tmp_path / "task.safetensors"),
    )  # fmt: skip
    rows = found["classifiers"]
    assert len(rows) == 5 and all(len(row["accuracy"]) == 2 for row in rows.values())
    assert {tuple(row["shape"][1:]) for row in rows.values()} == {(64, 64), (8, 8), (4, 4)}
    assert len(found["codecs"]) >= 3 and len(found["restored"]) == 4
    assert TaskCheckpoint.load(tmp_path / "task.safetensors").classes == ("blue", "green", "red")


def test_what_is_learned_from_is_what_is_stored(pixels, tiny, tmp_path):
    lossless = as_pixels("", pixels, pixels, "WebP", lossless=True)
    assert torch.equal(lossless.train, pixels) and torch.equal(lossless.test, pixels)
    lossy = as_pixels("", pixels, pixels, "JPEG", quality=20)
    assert lossy.bytes < lossless.bytes and not torch.equal(lossy.test, pixels)
    latents = as_latents(str(tiny), 50, pixels, pixels, tmp_path, 1)
    assert latents.test.shape[0] == 12 and latents.test.shape[2:] == (4, 4)
    assert latents.cached_speed is not None and latents.speed > 0


def test_a_quality_is_found_for_a_size(pixels):
    codec = create("jpeg")
    for quality in (20, 60):
        size = through(codec, quality, pixels)[0]
        assert abs(quality_for(codec, pixels, size) - quality) <= 1


def test_small_pictures_are_means_of_large_ones(pixels):
    flat = torch.full((1, 3, 64, 64), 77, dtype=torch.uint8)
    assert torch.equal(shrunk(flat, 16), flat[..., :16, :16])
    mean = shrunk(pixels, 16).float().mean((2, 3)) - pixels.float().mean((2, 3))
    assert float(mean.abs().max()) < 2

"""Pairs of frames: what the frame before is, by itself or in a chain."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.datasets.pairs import FIELDS
from nacre.tools.cli import main
from nacre.tools.train.clip_pairs import open_pairs


@pytest.fixture
def made(clip_folder, clip_model, tmp_path):
    """Pairs of the clip of 4 frames, each drawn once."""

    def make(is_chained: bool):
        folder = tmp_path / str(is_chained)
        sources = [str(clip_folder / "clips")]
        return open_pairs(sources, 128, folder, clip_model, 1, 0, is_chained).batch(np.arange(3))

    return make


def test_in_a_chain_the_frame_before_is_an_inter_frame(made):
    alone, chained = made(False), made(True)
    for name in FIELDS:  # the second frame follows a first frame in both
        assert np.array_equal(getattr(alone, name)[0], getattr(chained, name)[0]), name
    assert len(set(chained.t.tolist())) == 1  # a chain is of one quality
    assert not np.array_equal(alone.compensated[1], chained.compensated[1])
    error = [(of.compensated - of.frame).square().mean((1, 2, 3)) for of in (alone, chained)]
    assert (error[1] < 4 * error[0] + 0.01).all()  # it still shows the clip


def test_a_recipe_names_the_model_of_the_chain(clip_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NACRE_MODELS", str(clip_folder / "models"))
    monkeypatch.chdir(clip_folder)
    recipe = (clip_folder / "clip.toml").read_text()
    recipe = recipe.replace("draws = 1", 'draws = 1\nchained_by = "clip.safetensors"')
    (tmp_path / "chained.toml").write_text(recipe)
    wanted = ["train", str(tmp_path / "chained.toml"), "-o", str(tmp_path / "run"), "-j", "1"]
    start = ["--init", "run/checkpoint.pt", "--steps", "1", "--precision", "float32"]
    assert main([*wanted, *start]) == 0
    assert "3 pairs" in capsys.readouterr().out

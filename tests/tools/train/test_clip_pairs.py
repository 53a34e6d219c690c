"""Pairs of frames: what the frame before is, by itself or in a chain."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.codec.motion.blend import blended
from nacre.datasets.pairs import FIELDS
from nacre.tools.cli import main
from nacre.tools.train.clip_pairs import given, open_pairs
from nacre.tools.train.clip_trainer import Showing


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


@torch.no_grad()
def test_training_sees_the_pictures_that_a_decoder_shows(made, clip_model):
    pairs, network = made(True), clip_model.network
    assert network.blends
    plain = given(network, pairs)(pairs.frame, pairs.t, hard=True).x_hat
    shown = Showing(network, pairs)(pairs.frame, pairs.t, hard=True).x_hat
    for k, t in enumerate(pairs.t.tolist()):
        picture, compensated = (
            (255 * x[k]).round().clamp(0, 255).byte() for x in (plain, pairs.compensated)
        )
        mask = pairs.is_predicted[k, 0].bool().repeat_interleave(16, 0).repeat_interleave(16, 1)
        want = blended(picture, compensated, mask, 1 + round(99 * t))
        is_inside = (plain[k] >= 0) & (plain[k] <= 1)  # training does not clamp
        assert ((255 * shown[k] - want).abs() * is_inside).max() < 1.01  # it does not round either
    assert (shown - plain).abs().max() > 1 / 255

"""Imports, without CompressAI: the weights are the checkpoint's, one rate is told, files are read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from nacre import codec
from nacre.codec.encoder import Encoder
from nacre.entropy.errors import UsageError
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from nacre.tools.evaluate.codecs.registry import create
from nacre.tools.importing.convert import PARTS, calibration_pictures
from tests.models.laws import photo
from tests.tools.importing.checkpoints import LATENT, state_dict

NAMES = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Each architecture, imported by the command line."""
    folder = tmp_path_factory.mktemp("imports")
    photo(128, 128).save(folder / "photo.png")
    for name in NAMES:
        torch.save(state_dict(name), folder / f"{name}.pth")
        arguments = [
            f"compressai:{name}",
            f"{folder / name}.pth",
            "-o",
            f"{folder / name}.safetensors",
        ]
        pictures = ["--pictures", str(folder / "photo.png")]
        assert main(["models", "import", *arguments, *pictures]) == 0
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_checkpoint(folder, name):
    model, theirs = load_model(folder / f"{name}.safetensors"), state_dict(name)
    for part, prefix in PARTS.items():
        if hasattr(model.network, part):
            for key, value in getattr(model.network, part).state_dict().items():
                assert torch.equal(value, theirs[prefix + key]), key
    median = theirs["entropy_bottleneck.quantiles"][:, 0, 1]
    assert torch.equal(model.network.median, median)
    card = json.loads((folder / f"{name}.json").read_text())
    assert card["license"] == "as the checkpoint"
    assert card["imported"]["architecture"] == f"compressai:{name}"
    assert card["imported"]["checkpoint"] == f"{name}.pth"


@pytest.mark.parametrize("name", NAMES)
def test_files_are_read_back_and_all_qualities_are_one(folder, name):
    image, weights = photo(140, 90), folder / f"{name}.safetensors"
    encoder = Encoder(image, model=weights)
    encoder.is_adaptive = False
    parts = [
        [part.data for part in codec.container.Stream.from_bytes(data).latents]
        for data in (encoder.encode(quality) for quality in (1, 60, 100))
    ]
    assert parts[0] == parts[1] == parts[2] and parts[0][0]
    assert np.asarray(codec.decode(encoder.encode(60), model=weights)).shape == (90, 140, 3)


def test_the_command_line_says_that_quality_changes_nothing(folder, tmp_path, capsys):
    weights = str(folder / f"{NAMES[0]}.safetensors")
    encode = ["encode", str(folder / "photo.png"), "--model", weights, "-o"]
    assert main([*encode, str(tmp_path / "a.ncr")]) == 0
    assert "one rate" not in capsys.readouterr().err
    assert main([*encode, str(tmp_path / "b.ncr"), "-q", "20"]) == 0
    assert "bmshj2018-factorized has one rate: --quality changes nothing" in capsys.readouterr().err
    assert create(f"nacre:{weights}").qualities == (60,)


def test_a_goal_is_refused(folder):
    with pytest.raises(UsageError, match="one rate"):
        codec.encode_to(photo(64, 64), bpp=1.0, model=folder / f"{NAMES[0]}.safetensors")


def test_many_channels_have_rows_of_sixteen_bits(tmp_path):
    """320 tables: the row of a symbol is not a byte."""
    theirs = state_dict(NAMES[0])
    many = 320
    for key, value in theirs.items():
        if key.startswith("entropy_bottleneck.") or key in (
            "g_a.6.weight",
            "g_a.6.bias",
            "g_s.0.weight",
        ):
            theirs[key] = value.repeat(-(-many // LATENT), *[1] * (value.ndim - 1))[:many]
    torch.save({"state_dict": theirs}, tmp_path / "a.pth")
    photo(64, 64).save(tmp_path / "photo.png")
    weights = tmp_path / "a.safetensors"
    arguments = [f"compressai:{NAMES[0]}", str(tmp_path / "a.pth"), "-o", str(weights)]
    assert main(["models", "import", *arguments, "--pictures", str(tmp_path / "photo.png")]) == 0
    model = load_model(weights)
    assert model.tables["y"].rows == many and model.integers.y_rows.dtype == np.uint16
    rows = model.prior(model.network.shapes(2, 1), 60).rows(0, {})
    assert rows[0, :, 1, 0].tolist() == list(range(many))
    encoder = Encoder(photo(64, 64), model=weights)
    encoder.is_adaptive = False
    assert codec.decode(encoder.encode(60), model=weights).size == (64, 64)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import"], "wanted: nacre models"),
        (["import", "compressai:mbt2018-mean"], "CHECKPOINT -o FILE"),
        (["import", "other:a", "b.pth", "-o", "c.safetensors"], "compressai:ARCHITECTURE"),
        (["import", "compressai:mbt2018", "b.pth", "-o", "c.safetensors"], "raster scan"),
        (["add", "a.safetensors", "-o", "c.safetensors"], "wanted: nacre models"),
        (["import", "compressai:mbt2018-mean", "b", "-o", "c", "--lambda", "0"], "over 0"),
    ],
)
def test_wrong_commands_are_told(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["models", *arguments]) != 0
    assert said in capsys.readouterr().err


def test_a_checkpoint_of_another_architecture_is_told(folder, tmp_path, capsys):
    arguments = [
        "compressai:mbt2018-mean",
        f"{folder / NAMES[1]}.pth",
        "-o",
        str(tmp_path / "a.safetensors"),
    ]
    assert main(["models", "import", *arguments]) != 0
    assert "no checkpoint of mbt2018-mean: h_s.0.weight" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_pictures_a_photograph_and_rendered_pages_calibrate():
    found = calibration_pictures(())
    assert len(found) > 3 and all(x.shape == (1, 3, 512, 512) for x in found)


def test_pictures_are_cut_to_what_networks_take(tmp_path):
    Image.new("RGB", (700, 130)).save(tmp_path / "wide.png")
    assert [x.shape for x in calibration_pictures([tmp_path])] == [(1, 3, 128, 512)]

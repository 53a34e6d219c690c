"""A tiny model of inter frames, trained for a few steps on a moving photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.models import zoo
from nacre.models.family import CodingModel
from nacre.tools.cli import main
from nacre.tools.collection.moving import write_clip

PHOTO = Path(__file__).parents[1] / "tools" / "demo" / "beacon-street.png"
RECIPE = """
[data]
clips = ["clips"]
held_out = ["clips"]
draws = 1

[model]
family = "clip"
base = "{base}"
width = 16
overlap = 4
blends = true

[steps]
batch = 2
crop = 128
warmup_steps = 2
ema = 0.5
"""


def moving(count: int, height: int, width: int) -> list[np.ndarray]:
    """(H, W, 3) uint8: a photograph that passes by, with some noise."""
    whole = np.asarray(Image.open(PHOTO).convert("RGB")).astype(int)
    rng, frames = np.random.default_rng(0), []
    for i in range(count):
        window = whole[100 + i : 100 + i + height, 100 + 3 * i : 100 + 3 * i + width]
        frames.append((window + rng.integers(-2, 3, window.shape)).clip(0, 255).astype(np.uint8))
    return frames


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory, tiny) -> Path:
    """clip.safetensors, the clips it was trained on, and `models`, where its image model is installed."""
    folder = tmp_path_factory.mktemp("clip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NACRE_MODELS", str(folder / "models"))
        patch.chdir(folder)
        assert main(["models", "add", str(tiny)]) == 0
        base = zoo.load_model(tiny).id.hex()
        Path("clips").mkdir()
        write_clip(Path("clips/moving.mkv"), moving(4, 128, 144))
        Path("clip.toml").write_text(RECIPE.format(base=base))
        train = [
            "train",
            "clip.toml",
            "-o",
            "run",
            "--precision",
            "float32",
            "--steps",
            "2",
            "-j",
            "1",
        ]
        assert main(train) == 0
        export = ["export", "run", "-o", "clip.safetensors", "--name", "clip", "--pictures", "1"]
        assert main(export) == 0
    return folder


@pytest.fixture(scope="session")
def clip_model(clip_folder) -> CodingModel:
    """A tiny model of inter frames on top of the tiny image model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NACRE_MODELS", str(clip_folder / "models"))
        return zoo.load_model(clip_folder / "clip.safetensors")

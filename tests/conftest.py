"""Shared by all tests: a tiny model of the real architecture, and small pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.codec.threads import wait_asleep

wait_asleep()  # before torch: the machine may be busy with other things

from nacre.codec.search import modes  # noqa: E402
from nacre.models.zoo import load_model  # noqa: E402
from tests.clip_models import clip_folder, clip_model  # noqa: E402, F401

HERE = Path(__file__).parent
TINY = HERE / "vectors" / "tiny.safetensors"
PHOTO = HERE.parent / "tools" / "demo" / "beacon-street.png"


@pytest.fixture(scope="session")
def tiny() -> Path:
    """Weights of a tiny seeded model; tests/make_vectors.py makes them."""
    return TINY


@pytest.fixture(autouse=True)
def no_mercy_for_tiny(request, monkeypatch):
    """Models trained for seconds show photographs so badly that these would not come from their latent."""
    if {"tiny", "flat"} & set(request.fixturenames):
        monkeypatch.setattr(modes, "WORST_ERROR", float("inf"))


@pytest.fixture(scope="session")
def tiny_model():
    return load_model(TINY)


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A piece of a photograph, 112x96."""
    return Image.open(PHOTO).convert("RGB").crop((250, 180, 362, 276))


@pytest.fixture
def noise() -> np.ndarray:
    """uint8 (40, 56, 3): what no codec is made for."""
    return np.random.default_rng(7).integers(0, 256, (40, 56, 3), np.uint8)

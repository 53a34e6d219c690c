"""Studies that train, in their smallest form: every way and every context is measured."""

from __future__ import annotations

import pytest

from nacre.models.zoo import load_model
from nacre.tools.collection.moving import write_clip
from nacre.tools.contexts import latents
from nacre.tools.contexts.variants import VARIANTS
from nacre.tools.studies import clip_drift, contexts, scales
from tests.clip_models import moving

RECIPE = """
[data]
pictures = ["pictures"]
held_out = ["pictures/0.png"]
"""


@pytest.fixture
def recipe(tmp_path, photo, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        photo.resize((280, 270)).rotate(180 * i).save(tmp_path / f"pictures/{i}.png")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return "recipe.toml"


def test_scales(figures, recipe):
    found = figures(scales, recipe, "--folder", "run", "--minutes", "0.001", "--only", "elic")
    row = found["families"]["elic"]
    assert row["steps"] >= 1 and set(row["bits"]) == set(scales.WAYS)
    # Rows in integers are near those that they were made from.
    pairs = zip(row["bits"]["integers"], row["bits"]["network"], strict=True)
    assert all(abs(exact / floats - 1) < 0.02 for exact, floats in pairs)


def test_contexts(figures, recipe, tiny, monkeypatch):
    monkeypatch.setattr(contexts, "load_model", lambda: load_model(tiny))
    monkeypatch.setattr(contexts, "CROPS", 4)
    monkeypatch.setattr(contexts, "TIMED", (4, 4))
    monkeypatch.setattr(latents, "SIDE", 128)
    found = figures(contexts, recipe, "--folder", "run", "--minutes", "0.0001")
    assert list(found["variants"]) == list(VARIANTS)
    assert all(row["steps"] >= 1 for row in found["variants"].values())
    assert max(map(abs, contexts.changes(found, "deeper"))) < 0.5


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_what_is_added_starts_at_zero(name, tiny):
    """But the scales of split turns, which see more, and scales that begin anew."""
    import torch

    from nacre.models.nacre.network import NacreNetwork
    from nacre.models.parts.rate import code

    model, variant = load_model(tiny).network, VARIANTS[name]
    assert isinstance(model, NacreNetwork)
    other = NacreNetwork(model.config)
    other.load_state_dict(model.state_dict())
    variant.put_into(other)
    shapes, t = model.shapes(8, 8), torch.tensor([0.5])
    planes = {plane: 3 * torch.randn(shape) for plane, shape in shapes.items()}
    with torch.no_grad():
        known, bits = code(model.prior(shapes, t), planes, hard=True)
        found, other_bits = code(other.prior(shapes, t), planes, hard=True)
    assert torch.allclose(found["y"], known["y"], atol=1e-5)
    begins_anew = variant.new_scales or variant.float_scales
    if len(variant.split(model.config.latent).turns) == 4 and not begins_anew:
        assert torch.allclose(other_bits["y"], bits["y"], rtol=1e-5)


def test_drift_of_clips(figures, clip_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("NACRE_MODELS", str(clip_folder / "models"))
    write_clip(tmp_path / "moving.mkv", moving(3, 48, 64))
    settings = ["as it is", "bfloat16"]
    arguments = [str(tmp_path / "moving.mkv"), "--model", str(clip_folder / "clip.safetensors")]
    found = figures(clip_drift, *arguments, "--frames", "2", "--settings", *settings)
    same, other = found["settings"]
    assert found["frames"] == 2 and same["largest_levels"] == [0, 0]
    assert max(other["largest_levels"]) > 0

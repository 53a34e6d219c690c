"""An exported run is a model that codes, with a card that says how it was made."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nacre import codec
from nacre.models.zoo import load_model
from nacre.tools.cli import main
from nacre.tools.train.checkpoint import FILE, Checkpoint, network_state


def test_export_makes_a_model_that_codes(learned, photo):
    model = learned / "mine.safetensors"
    data = codec.encode(photo, model=model, quality=90)
    assert load_model(model).name == "mine"
    back = np.asarray(codec.decode(data, model=model)).astype(float)
    assert np.abs(back - np.asarray(photo)).mean() < 20


def test_the_card_tells_of_the_run(learned):
    card = json.loads((learned / "mine.json").read_text())
    assert card["training"]["steps"] == 60
    assert card["training"]["recipe"]["batch"] == 4
    assert card["data"] == ["pictures"]
    assert "exact rows" in card["export"] and "fitted tables" in card["export"]
    assert card["results"][0]["step"] == 60


@pytest.mark.parametrize("existing", ["mine.safetensors", "mine.json"])
def test_nothing_is_overwritten(tmp_path, learned, existing, capsys):
    (tmp_path / existing).write_text("mine")
    assert main(["export", str(learned / "run"), "-o", str(tmp_path / "mine.safetensors")]) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / existing).read_text() == "mine"


def test_a_run_is_averaged_with_other_weights(place, learned, capsys):
    assert main(["train", "tiny.toml", "-o", "run", "--steps", "2", "--precision", "float32"]) == 0
    own, other = Checkpoint.load(place / "run" / FILE), learned / "run" / FILE
    average = ["--average", f"{other}=0.25", "--pictures", "1"]
    assert main(["export", "run", "-o", "mine.safetensors", *average]) == 0
    assert "exact rows" in capsys.readouterr().out
    other = Checkpoint.load(other)
    for key, value in network_state(place / "mine.safetensors").items():
        expected = 0.75 * own.ema[key] + 0.25 * other.ema[key]
        assert np.allclose(value, expected, rtol=2e-3, atol=1e-6)  # float16
    card = json.loads((place / "mine.json").read_text())
    assert card["training"]["averaged_with"] == [["checkpoint.pt", 0.25]]
    assert card["results"] == []
    over = [*average, "--average", f"{learned / 'run' / FILE}=0.8", "--force"]
    assert main(["export", "run", "-o", "mine.safetensors", *over]) == 2  # over 1


def test_a_card_has_no_numbers_that_json_has_not():
    from nacre.tools.export.export import known

    assert known({"loss": 0.5, "bpp_0.0": float("nan")}) == {"loss": 0.5}

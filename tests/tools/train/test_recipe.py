"""Recipes are read strictly: what is wrong is named with its file, section, field and value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nacre.entropy.errors import UsageError
from nacre.models.nacre import NacreConfig
from nacre.tools.train.recipe import Recipe, read_recipe

RECIPE = """
[data]
pictures = ["pictures"]

[model]
width8 = 16

[steps]
batch = 4
crop = 64
"""


@pytest.fixture
def read(tmp_path):
    def of(text: str) -> Recipe:
        path = tmp_path / "tiny.toml"
        path.write_text(text)
        return read_recipe(path)

    return of


def test_what_is_not_given_has_its_default(read):
    recipe = read(RECIPE)
    assert (recipe.name, recipe.data.pictures) == ("tiny", ("pictures",))
    assert recipe.model.config == NacreConfig(width8=16)
    assert (recipe.steps.batch, recipe.steps.warmup_steps, recipe.routine.log_steps) == (4, 50, 50)
    assert read('[data]\npictures = ["a"]').model.config == NacreConfig()
    assert read('name = "other"\n' + RECIPE).name == "other"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[steps]", "[steps]\ncrops = 3"), "steps.crops is not known; there is batch, crop, lea"),
        (("width8 = 16", "widths = 16"), "model.widths is not known; there is width8, width16"),
        (("[data]", "[date]"), "date is not known; there is name, data, model, steps, objective"),
        (("batch = 4", 'batch = "4"'), "steps.batch is '4': expected int, got str"),
        (("batch = 4", "batch = true"), "steps.batch is True: expected int, got bool"),
        (("batch = 4", "batch = 4.0"), "steps.batch is 4.0: expected int, got float"),
        (("batch = 4", "batch = 0"), "steps.batch is 0: expected int >= 1"),
        (("crop = 64", "crop = 100"), "steps.crop is 100: expected int that's a multiple of 64"),
        (("crop = 64", "crop = 0"), "steps.crop is 0: expected int >= 64"),
        (("crop = 64", "warmup_steps = 0"), "steps.warmup_steps is 0"),
        (("crop = 64", "learning_rate = nan"), "steps.learning_rate is nan"),
        (("crop = 64", "ema = 1.0"), "steps.ema is 1.0: expected float < 1.0"),
        (("[steps]", "[routine]\nlog_steps = 0\n[steps]"), "routine.log_steps is 0"),
        (("width8 = 16", "width8 = 0"), "model.width8 is 0: expected a number from 1"),
        (("width8 = 16", 'width8 = "16"'), "model.width8 is '16': expected int, got str"),
        (("width8 = 16", 'family = "no"'), "model.family is 'no': no model family is called 'no'"),
        (("width8 = 16", "lambda_min = -1"), "model.lambda_min is -1: expected a number from 0"),
        (('pictures = ["pictures"]', ""), "either pictures or clips are wanted"),
        (('[data]\npictures = ["pictures"]', ""), "data is missing"),
        (('pictures = ["pictures"]', 'pictures = "folder"'), "is 'folder': expected list, got str"),
        (('pictures = ["pictures"]', "pictures = []"), "either pictures or clips are wanted"),
        (('["pictures"]', '["a", 3]'), "data.pictures[1] is 3: expected str, got int"),
        (('[data]\npictures = ["pictures"]', "data = 3"), "data is 3: expected section, got int"),
        (("[steps]", "[steps"), "line 8"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(read, change, said):
    text = RECIPE.replace(*change)
    assert text != RECIPE
    with pytest.raises(UsageError) as told:
        read(text)
    assert "tiny.toml: " in str(told.value) and said in str(told.value)


def test_a_model_that_is_no_section_is_refused(read):
    with pytest.raises(UsageError, match=r"tiny\.toml: model is 3: expected section, got int"):
        read('model = 3\ndata.pictures = ["a"]')


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.toml"):
        read_recipe(tmp_path / "gone.toml")


def test_recipes_that_ship_are_read_and_kept_in_checkpoints():
    for path in (Path(__file__).parents[3] / "tools" / "recipes").glob("*.toml"):
        recipe = read_recipe(path)
        assert Recipe.from_json(recipe.to_json()) == recipe


OLD = {  # of the first checkpoints, before some of today's fields
    "name": "nacre",
    "data": {"pictures": ["a.tar"], "held_out": ["b.tar"], "synthetic_share": 0.05},
    "model": {"width8": 128, "width16": 256, "lambda_min": 0.0012},
    "steps": {"batch": 8, "crop": 192, "learning_rate": 6e-4, "clip_norm": 1},
    "routine": {"checkpoint_minutes": 5.0, "log_steps": 50},
}


def test_recipes_of_old_checkpoints_are_read():
    recipe = Recipe.from_json(json.dumps(OLD))
    assert recipe.data.pictures == ("a.tar",)
    assert recipe.steps.clip_norm == 1.0 and recipe.steps.quality_power == 2.0


def test_a_recipe_of_a_checkpoint_names_it_when_it_is_wrong():
    with pytest.raises(UsageError, match=r"checkpoint: steps\.batch is 0"):
        Recipe.from_json(json.dumps({**OLD, "steps": {"batch": 0}}))

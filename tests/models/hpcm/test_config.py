"""Counts of the published configurations, and numbers that make no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.models import catalogue
from nacre.models.hpcm import FAMILY, LARGE, HpcmConfig
from nacre.tools.train.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "tools" / "recipes"


@pytest.mark.parametrize("published", FAMILY.published, ids=lambda p: p.name)
def test_counts_are_the_published_ones(published):
    """Table 1 of HPCM. Ours are 7 kMAC/pixel fewer: the state after the last turn is not computed."""
    ours = catalogue.row(FAMILY, published)["as_published"]
    assert ours["parameters"] / 1e6 == pytest.approx(published.parameters, rel=0.01)
    assert ours["kmac_per_pixel"] == pytest.approx(published.kmac, rel=0.01)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"latent": 20}, "multiple of 8"),
        ({"heads": 7}, "heads is 7"),
        ({"width2": 3}, "width2"),
        ({"hyper": 257}, "hyper"),
        ({"window_half": 0}, "window_half"),
        ({"blocks8": 65}, "blocks8"),
        ({"lambda_min": 0.0}, "lambda_min"),
        ({"lambda_max": float("nan")}, "lambda_max"),
        ({"knots": 1}, "knots"),
    ],
)
def test_impossible_numbers_are_refused(fields, fault):
    with pytest.raises(ValueError, match=fault):
        HpcmConfig(**fields)


@pytest.mark.parametrize(
    ("name", "config"), [("hpcm", HpcmConfig()), ("hpcm-large", HpcmConfig(**LARGE))]
)
def test_recipes_are_the_published_configurations(name, config):
    assert read_recipe(RECIPES / f"{name}.toml").model.config == config

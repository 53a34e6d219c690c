"""Counts of the published configurations, and numbers that make no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from nacre.models import catalogue
from nacre.models.elic import FAMILY, ElicConfig
from nacre.tools.train.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "tools" / "recipes"


@pytest.mark.parametrize("published", FAMILY.published, ids=lambda p: p.name)
def test_counts_are_the_published_ones(published):
    ours = catalogue.row(FAMILY, published)["as_published"]
    assert ours["parameters"] / 1e6 == pytest.approx(published.parameters, rel=0.002)
    if published.kmac is not None:
        assert ours["kmac_per_pixel"] == pytest.approx(published.kmac, rel=0.002)


def test_groups_are_uneven():
    assert ElicConfig().groups == (16, 16, 32, 64, 192)
    assert ElicConfig(latent=256).groups == (16, 16, 32, 64, 128)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"latent": 128}, "nothing is left"),
        ({"width": 1}, "half as many"),
        ({"hyper": 257}, "hyper"),
        ({"group3": 0}, "group3"),
        ({"features": 5000}, "features"),
        ({"blocks": 65}, "blocks"),
        ({"aggregation": "other"}, "aggregation is 'other'"),
        ({"lambda_min": 0.0}, "lambda_min"),
        ({"lambda_max": float("nan")}, "lambda_max"),
        ({"knots": 1}, "knots"),
    ],
)
def test_impossible_numbers_are_refused(fields, fault):
    with pytest.raises(ValueError, match=fault):
        ElicConfig(**fields)


def test_the_recipe_is_the_published_configuration():
    assert read_recipe(RECIPES / "elic.toml").model.config == ElicConfig()

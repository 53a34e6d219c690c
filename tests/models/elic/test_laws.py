"""The family elic keeps the laws of all families."""

from __future__ import annotations

import pytest

from nacre.models.elic import CHANDELIER
from tests.models import laws

TINY = {
    "width": 8, "latent": 32, "hyper": 8, "scale_width": 8, "blocks": 1, "group1": 4, "group2": 4, "group3": 4,
    "group4": 8, "hyper_width32": 8, "hyper_width16": 8, "features": 8, "context_width1": 8,
    "context_width2": 8, "knots": 2,
}  # fmt: skip
OTHER = {**CHANDELIER, **TINY, "predicts_residual": True}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return laws.write_tiny(tmp_path_factory.mktemp("elic") / "tiny.safetensors", "elic", TINY)


@pytest.mark.parametrize("values", [TINY, OTHER], ids=["narrow", "chandelier"])
@pytest.mark.parametrize("side", [12, 5])
def test_no_turn_sees_a_later_one(values, side):
    laws.causality(laws.build("elic", values), side)


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_files_with_predicted_residuals_are_read_back(tmp_path, monkeypatch):
    laws.files(laws.write_tiny(tmp_path / "tiny.safetensors", "elic", OTHER), monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


@pytest.mark.parametrize("values", [TINY, OTHER, {**TINY, "float_scales": True}])
def test_gradients_reach_every_parameter(values):
    # Of seed 0 a bottleneck, four channels wide, has dead ReLUs.
    laws.gradients_reach_every_parameter(laws.build("elic", values, seed=1))

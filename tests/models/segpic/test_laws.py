"""The family segpic keeps the laws of all families."""

from __future__ import annotations

import pytest

from tests.models import laws

TINY = {
    "width": 4, "last_width": 4, "latent": 8, "hyper": 4, "scale_width": 8, "heads": 2, "window4": 2,
    "window16": 2, "region_window": 16, "slices": 3, "support": 2, "context_width": 14, "knots": 2,
}  # fmt: skip
DICTIONARY = {**TINY, "dictionary_entries": 4, "dictionary_heads": 1}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return laws.write_tiny(tmp_path_factory.mktemp("segpic") / "tiny.safetensors", "segpic", TINY)


@pytest.mark.parametrize("values", [TINY, DICTIONARY, {**TINY, "float_scales": True}])
def test_no_turn_sees_a_later_one(values):
    laws.causality(laws.build("segpic", values))


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


@pytest.mark.parametrize("values", [TINY, DICTIONARY, {**TINY, "float_scales": True}])
def test_gradients_reach_every_parameter(values):
    laws.gradients_reach_every_parameter(laws.build("segpic", values))

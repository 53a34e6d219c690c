"""The default family keeps the laws of all families."""

from __future__ import annotations

import pytest

from tests.models import laws

TINY = {
    "width8": 16, "width16": 24, "latent": 32, "hyper": 8, "hyper_analysis_width": 16, "hyper_width": 16,
    "context": 16, "scale_width": 8, "blocks8": 1, "blocks16": 1, "knots": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return laws.write_tiny(tmp_path_factory.mktemp("nacre") / "tiny.safetensors", "nacre", TINY)


def test_no_turn_sees_a_later_one():
    laws.causality(laws.build("nacre", TINY))


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


def test_gradients_reach_every_parameter():
    laws.gradients_reach_every_parameter(laws.build("nacre", TINY))

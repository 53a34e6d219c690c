"""The family "factorized" keeps the laws of all families."""

from __future__ import annotations

import pytest

from tests.models import laws

TINY = {"width": 12, "latent": 24, "knots": 2}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return laws.write_tiny(
        tmp_path_factory.mktemp("factorized") / "tiny.safetensors", "factorized", TINY
    )


def test_no_turn_sees_a_later_one():
    laws.causality(laws.build("factorized", TINY))


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


def test_gradients_reach_every_parameter():
    laws.gradients_reach_every_parameter(laws.build("factorized", TINY))

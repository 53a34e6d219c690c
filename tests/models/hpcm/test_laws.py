"""The family hpcm keeps the laws of all families."""

from __future__ import annotations

import pytest

from tests.models import laws

TINY = {
    "width2": 4, "width4": 8, "width8": 8, "latent": 16, "hyper": 8, "hyper_width": 8, "scale_width": 8,
    "blocks2": 1, "blocks4": 1, "blocks8": 1, "hyper_blocks": 1, "coarse_blocks": 1, "fine_blocks": 2,
    "heads": 4, "window_quarter": 2, "window_half": 4, "window_full": 4, "knots": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return laws.write_tiny(tmp_path_factory.mktemp("hpcm") / "tiny.safetensors", "hpcm", TINY)


@pytest.mark.parametrize("side", [12, 5])
def test_no_turn_sees_a_later_one(side):
    laws.causality(laws.build("hpcm", TINY), side)


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


@pytest.mark.parametrize("float_scales", [False, True])
def test_gradients_reach_every_parameter(float_scales):
    values = {**TINY, "float_scales": float_scales}
    laws.gradients_reach_every_parameter(laws.build("hpcm", values))

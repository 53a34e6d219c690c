"""MLIC++ and MLICv2 keep the laws of all families."""

from __future__ import annotations

import pytest

from tests.models import laws

PLUS_PLUS = {"width": 8, "latent": 32, "hyper": 8, "slices": 2, "scale_width": 8, "knots": 2}
V2 = {
    **PLUS_PLUS, "token_mixing": True, "rotary": True, "hyper_global": True, "reweighting": True,
}  # fmt: skip
BOTH = pytest.mark.parametrize("values", [PLUS_PLUS, V2], ids=["mlic++", "mlicv2"])


@BOTH
def test_no_turn_sees_a_later_one(values):
    laws.causality(laws.build("mlic", values), side=5)


@BOTH
def test_files_are_read_back(values, tmp_path, monkeypatch):
    weights = laws.write_tiny(tmp_path / "tiny.safetensors", "mlic", values)
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(tmp_path, monkeypatch):
    """Of MLIC++; the halo of MLICv2 is wide, and test_network.py measures it for both."""
    weights = laws.write_tiny(tmp_path / "tiny.safetensors", "mlic", PLUS_PLUS)
    laws.no_seams(weights, monkeypatch)


@BOTH
def test_gradients_reach_every_parameter(values):
    # z is all zeros at the start, so that the first layers behind it have nothing to work on
    behind_z = ("hyper_synthesis.0.weight", "scales.up1.project.weight")
    laws.gradients_reach_every_parameter(laws.build("mlic", values), behind_z)

"""MLIC++ and MLICv2 keep the laws of all families."""

from __future__ import annotations

import pytest

from nacre.models.mlic import V2
from tests.models import laws

PLUS_PLUS = {"width": 8, "latent": 32, "hyper": 8, "slices": 2, "scale_width": 8, "knots": 2}
TINY_V2 = {**PLUS_PLUS, **V2}
BOTH = pytest.mark.parametrize("values", [PLUS_PLUS, TINY_V2], ids=["mlic++", "mlicv2"])


@BOTH
def test_no_turn_sees_a_later_one(values):
    laws.causality(laws.build("mlic", values), side=5)


@pytest.fixture(scope="module")
def plus_plus(tmp_path_factory):
    path = tmp_path_factory.mktemp("mlic") / "tiny.safetensors"
    return laws.write_tiny(path, "mlic", PLUS_PLUS)


def test_files_of_mlic_plus_plus_are_read_back(plus_plus, monkeypatch):
    laws.files(plus_plus, monkeypatch)


def test_files_of_mlic_v2_are_read_back(tmp_path, monkeypatch):
    laws.files(laws.write_tiny(tmp_path / "tiny.safetensors", "mlic", TINY_V2), monkeypatch)


def test_blocks_have_no_seams(plus_plus, monkeypatch):
    """Of MLIC++; the halo of MLICv2 is wide, and test_network.py measures it for both."""
    laws.no_seams(plus_plus, monkeypatch)


@BOTH
def test_gradients_reach_every_parameter(values):
    # z is all zeros at the start, so that the first layers behind it have nothing to work on
    behind_z = ("hyper_synthesis.0.weight", "scales.up1.project.weight")
    laws.gradients_reach_every_parameter(laws.build("mlic", values), behind_z)

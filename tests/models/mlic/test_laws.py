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


@pytest.fixture(scope="module", params=[PLUS_PLUS, TINY_V2], ids=["mlic++", "mlicv2"])
def weights(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("mlic") / "tiny.safetensors"
    return laws.write_tiny(path, "mlic", request.param)


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


@BOTH
def test_gradients_reach_every_parameter(values):
    # z is all zeros at the start, so that the first layers behind it have nothing to work on
    behind_z = ("hyper_synthesis.0.weight", "scales.up1.project.weight")
    laws.gradients_reach_every_parameter(laws.build("mlic", values), behind_z)

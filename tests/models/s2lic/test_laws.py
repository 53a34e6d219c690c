"""S2LIC keeps the laws of all families."""

from __future__ import annotations

import pytest

from nacre.models.parts import swin
from tests.models import laws

TINY = {
    "latent": 12, "hyper": 6, "scale_width": 4, "knots": 2, "width": 4, "depth2": 1, "depth4": 2, "depth8": 1,
    "heads2": 1, "heads4": 2, "heads8": 4, "window": 4, "enhancement": 3, "growth": 1, "slices": 3,
    "head_width": 2, "local_depth": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swin, "BRANCH_START", 1.0)  # what windows bring must be seen
        path = tmp_path_factory.mktemp("s2lic") / "tiny.safetensors"
        return laws.write_tiny(path, "s2lic", TINY)


def test_no_turn_sees_a_later_one():
    laws.causality(laws.build("s2lic", TINY))


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


def test_gradients_reach_every_parameter():
    laws.gradients_reach_every_parameter(laws.build("s2lic", TINY))

"""The wavelet family keeps the laws of all families, with a hyperprior and without."""

from __future__ import annotations

import pytest

from tests.models import laws

BASE = {
    "latent": 10, "hyper": 6, "scale_width": 8, "width": 16, "blocks": 1, "hyper_width": 8, "context": 8,
    "knots": 2, "drop": 0.0,
}  # fmt: skip
TINY = {
    "plain-3": {**BASE, "hyperprior": False},
    "plain-4": {**BASE, "hyperprior": False, "levels": 4, "wavelet": "5/3"},
    "hyper-3": {**BASE, "hyper_stride": 8},
    "hyper-4": {**BASE, "levels": 4, "passes": 2, "layers": 2},
    "haar": {**BASE, "wavelet": "haar", "layers": 1, "passes": 2},
}


@pytest.fixture(scope="module", params=TINY)
def values(request):
    return TINY[request.param]


@pytest.fixture(scope="module")
def weights(values, tmp_path_factory):
    return laws.write_tiny(tmp_path_factory.mktemp("wavelet") / "a.safetensors", "wavelet", values)


def test_no_turn_sees_a_later_one(values):
    if values.get("hyperprior", True):
        laws.causality(laws.build("wavelet", values))


def test_files_are_read_back(weights, monkeypatch):
    laws.files(weights, monkeypatch)


def test_blocks_have_no_seams(weights, monkeypatch):
    laws.no_seams(weights, monkeypatch)


def test_gradients_reach_every_parameter(values):
    laws.gradients_reach_every_parameter(laws.build("wavelet", values))

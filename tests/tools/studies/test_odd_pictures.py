"""Odd pictures: the study finds every broken promise, and none was broken."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.datasets import odd
from nacre.tools.studies import odd_pictures


def test_no_promise_was_broken(results):
    found = results("odd.json")["pictures"]
    assert [line for picture in found for line in odd_pictures.faults(picture)] == []


def test_a_picture_that_breaks_every_promise_is_found():
    rows = [
        {"quality": 30, "bytes": 900, "psnr_db": 30.0, "jpeg_db": 31.0},
        {"quality": 60, "bytes": 1100, "psnr_db": 29.0, "jpeg_db": None},
    ]
    said = odd_pictures.faults({"kind": "it", "webp_bytes": 1000, "rows": rows})
    assert len(said) == 3


def test_jpeg_between_its_qualities():
    curve = [(100, 20.0), (1000, 30.0), (10000, 40.0)]
    assert odd_pictures.jpeg_db(curve, 99) is None
    assert odd_pictures.jpeg_db(curve, 1000) == pytest.approx(30)
    assert 30 < odd_pictures.jpeg_db(curve, 3000) < 40


def test_odd_pictures_depend_on_the_seed_alone():
    first, again, other = (odd.draw(len(odd.KINDS), seed, 48) for seed in (1, 1, 2))
    for (kind, a), (_, b) in zip(first, again, strict=True):
        assert a.shape == (48, 48, 3) and a.dtype == np.uint8, kind
        assert np.array_equal(a, b), kind
    assert any(not np.array_equal(a, b) for (_, a), (_, b) in zip(first, other, strict=True))
    assert len(odd.KINDS) >= 15


def test_a_small_run(figures, monkeypatch):
    monkeypatch.setattr(odd_pictures, "SIDE", 48)
    monkeypatch.setattr(odd_pictures, "faults", lambda found: [])  # depends on the weights
    found = figures(odd_pictures, "--count", "2", "--effort", "0")
    assert len(found["pictures"]) == 2
    assert [row["quality"] for row in found["pictures"][0]["rows"]] == list(odd_pictures.QUALITIES)

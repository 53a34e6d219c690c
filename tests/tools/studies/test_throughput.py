"""Throughput: every way of a codec is measured, on files that are its own."""

from __future__ import annotations

import pytest
from PIL import Image

from nacre.entropy.errors import UsageError
from nacre.tools.studies import throughput


def test_every_way_is_measured(figures, picture, photo, monkeypatch):
    monkeypatch.setattr(throughput, "ROUNDS", 2)  # the first loads the model
    Image.open(picture).crop((0, 0, 64, 48)).save(picture)
    found = figures(
        throughput, picture, "-j", "1", "--codec", "jpeg", "75", "--codec", "nacre@effort=0", "40"
    )
    jpeg, nacre = found["rows"]
    assert found["megapixels"] == pytest.approx(64 * 48 / 1e6)
    assert "analysis" not in jpeg and "pack" not in jpeg
    assert all(nacre[way] > 0 for way in throughput.WAYS)
    assert jpeg["decode"] > nacre["decode"]  # an order of magnitude apart, on any machine
    assert nacre["analysis"] > nacre["pack"]  # which contains it


def test_a_quality_that_is_no_number_is_refused(picture):
    with pytest.raises(UsageError, match="--codec"):
        throughput.main([picture, "--codec", "jpeg", "good"])

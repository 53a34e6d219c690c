"""Metrics agree with their formulas."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate import metrics


def test_psnr_is_that_of_its_formula():
    a = np.zeros((4, 4, 3), np.uint8)
    assert metrics.psnr_db(a, a) == 99
    assert metrics.psnr_db(a, a + 255) == pytest.approx(0)
    assert metrics.psnr_db(a, a + 1) == pytest.approx(48.1308, abs=1e-4)


def test_planes_are_measured_apart():
    grey = np.full((4, 4, 3), 100, np.uint8)
    y, cb, cr = metrics.plane_psnr_db(grey, grey + 2)
    assert y == pytest.approx(10 * np.log10(255**2 / 4))
    assert (cb, cr) == (99, 99)
    y, cb, cr = metrics.plane_psnr_db(grey, grey + np.array([0, 0, 9], np.uint8))
    assert cb < cr and cb < y


def test_ms_ssim_falls_with_noise_and_asks_for_five_scales(photo):
    a = np.asarray(photo.resize((176, 176)))
    rng = np.random.default_rng(0)
    noisy = [np.clip(a + rng.normal(0, s, a.shape), 0, 255).astype(np.uint8) for s in (0, 4, 16)]
    values = [metrics.ms_ssim(a, b) for b in noisy]
    assert values[0] == pytest.approx(1) and 1 > values[1] > values[2] > 0.5
    assert metrics.ms_ssim(a[:160], noisy[1][:160]) is None


def test_lpips_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    metrics._lpips_network.cache_clear()
    with pytest.raises(UsageError, match="package lpips"):
        metrics.lpips(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8))


def test_lpips_takes_pictures_from_minus_one_to_one(monkeypatch):
    seen = []
    monkeypatch.setattr(metrics, "_lpips_network", lambda: lambda x, y: seen.append((x, y)) or 0.5)
    black, white = (np.full((8, 6, 3), v, np.uint8) for v in (0, 255))
    assert metrics.lpips(black, white) == 0.5
    ((x, y),) = seen
    assert x.shape == (1, 3, 8, 6) and x.unique().tolist() == [-1] and y.unique().tolist() == [1]

"""Strips cover the latent, and what comes out of them is what comes out of the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nacre.codec import strips
from nacre.codec.run import Run
from nacre.models.family import Reach

REACH = Reach(stride=16, halo=5, block_bytes=1, band_bytes=1, tile_bytes=1, search_bytes=1)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (100, 7), (33, 3000), (700, 700)])
@pytest.mark.parametrize("pixels", [1, 10_000, 1 << 22])
def test_blocks_cover_everything_once_with_a_halo(height, width, pixels, monkeypatch):
    monkeypatch.setattr(strips, "BLOCK_PIXELS", pixels)
    halo = REACH.halo
    for spans, count in zip(strips.blocks(height, width, REACH), (height, width), strict=True):
        assert [i for s in spans for i in range(s.start, s.end)] == list(range(count))
        assert all(
            s.low == max(0, s.start - halo) and s.high == min(count, s.end + halo) for s in spans
        )


@pytest.mark.parametrize(("height", "width"), [(1, 16384), (128, 128), (16384, 1), (64, 256)])
def test_a_picture_of_four_megapixels_is_one_block(height, width):
    rows, columns = strips.blocks(height, width, REACH)
    assert len(rows) == len(columns) == 1


@pytest.mark.parametrize(("height", "width"), [(700, 700), (10**6, 10), (129, 129), (65, 300)])
def test_no_block_is_larger_than_it_may_be(height, width):
    rows, columns = strips.blocks(height, width, REACH)
    size = max(r.high - r.low for r in rows) * max(c.high - c.low for c in columns)
    assert size * 256 <= strips.BLOCK_PIXELS


@pytest.fixture(scope="module")
def run() -> Run:
    return Run.to_encode({})


def analysed(run, pixels, t, band=1000):
    bands = [planes["y"] for planes in strips.BlockAnalysis(run, pixels).bands(t, band)]
    return torch.cat(bands, 2)


def synthesised(run, y_hat, features, t, heights=(1000,)):
    """Of a latent that comes in bands of these heights."""
    pairs = zip(y_hat.split(heights, 2), features.split(heights, 2), strict=True)
    bands = ({"y": y, "features": f} for y, f in pairs)
    parts = strips.synthesise(run, bands, tuple(y_hat.shape[2:]), t, 3)
    return np.concatenate(list(parts)).astype(int)


@torch.inference_mode()
@pytest.mark.parametrize("heights", [(25,), (1, 24), (10, 10, 5), (4,) * 6 + (1,)])
def test_no_seam(run, monkeypatch, heights):
    """The shipped model on noise, where a halo too small shows first."""
    pixels = np.random.default_rng(0).integers(0, 256, (400, 150, 3), np.uint8)
    t = torch.tensor([0.7])
    whole = analysed(run, pixels, t)
    features = torch.randn(1, run.network.config.context, *whole.shape[2:])
    decoded = synthesised(run, whole.round(), features, t, (25,))
    monkeypatch.setattr(strips, "BLOCK_PIXELS", 16 * 14 * 256)
    monkeypatch.setattr(strips, "BLOCK_COLUMNS", 4 * 16)
    assert [len(s) for s in strips.blocks(25, 10, run.network.reach)] == [13, 2]
    assert (analysed(run, pixels, t) - whole).abs().max() < 1e-5 * whole.abs().max()
    again = synthesised(run, whole.round(), features, t, heights)
    assert again.shape == decoded.shape and np.abs(again - decoded).max() <= 1


@torch.inference_mode()
@pytest.mark.parametrize("band", [1, 6, 7, 8, 25, 100])
def test_bands_are_of_one_height_but_for_the_last(run, monkeypatch, band):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 150, 3), np.uint8)
    monkeypatch.setattr(strips, "BLOCK_PIXELS", 16 * 14 * 256)
    monkeypatch.setattr(strips, "BLOCK_COLUMNS", 4 * 16)
    bands = strips.BlockAnalysis(run, pixels).bands(torch.tensor([0.7]), band)
    found = [planes["y"].shape[2] for planes in bands]
    assert found == [band] * (25 // band) + [25 % band] * (25 % band > 0)


@torch.inference_mode()
def test_a_halo_too_small_would_be_seen(run, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 150, 3), np.uint8)
    t = torch.tensor([0.7])
    whole = analysed(run, pixels, t)
    monkeypatch.setattr(strips, "BLOCK_PIXELS", 16 * 14 * 256)
    monkeypatch.setattr(strips, "BLOCK_COLUMNS", 4 * 16)
    monkeypatch.setattr(run.network, "reach", replace(run.network.reach, halo=1))
    assert (analysed(run, pixels, t) - whole).abs().max() > 1e-5 * whole.abs().max()


@torch.inference_mode()
def test_16_bits_are_the_same_picture(run):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    t = torch.tensor([0.7])
    y = analysed(run, pixels, t)
    assert torch.equal(y, analysed(run, pixels.astype(np.uint16) * 257, t))
    features = torch.randn(1, run.network.config.context, *y.shape[2:])
    band = {"y": y.round(), "features": features}
    eight, sixteen = (
        next(strips.synthesise(run, [band], tuple(y.shape[2:]), t, 3, depth)) for depth in (8, 16)
    )
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 257 - eight).max() <= 0.5001


def test_a_picture_in_one_block_is_analysed_once_for_all_qualities(run, noise, monkeypatch):
    calls = []
    shared = run.network.prepare
    monkeypatch.setattr(run.network, "prepare", lambda x: calls.append(1) or shared(x))
    analysis = strips.BlockAnalysis(run, noise)
    with torch.no_grad():
        for t in (0.1, 0.8, 0.1):
            (planes,) = analysis.bands(torch.tensor([t]), 100)
            assert torch.equal(planes["y"], analysed(run, noise, torch.tensor([t])))
    assert len(calls) == 1 + 3

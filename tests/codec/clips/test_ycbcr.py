"""Planes come back from RGB, whatever their range, matrix, depth and subsampling."""

from __future__ import annotations

import numpy as np
import pytest

from nacre.codec.clips import ycbcr
from nacre.codec.clips.facts import ChromaSite, Range
from nacre.codec.clips.ycbcr import Layout

STEPS = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "4:1:1": (4, 1), "4:1:0": (4, 4)}


def planes_of(layout: Layout, height: int, width: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Noisy planes of mild colours: all of them are within RGB."""
    rng, unit = np.random.default_rng(seed), 1 << layout.bits - 8
    kind = np.uint8 if layout.bits == 8 else np.uint16
    luma = rng.integers(90 * unit, 160 * unit, (height, width)).astype(kind)
    size = -(-height // layout.step_y), -(-width // layout.step_x)
    return luma, *(rng.integers(113 * unit, 143 * unit, size).astype(kind) for _ in range(2))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("site", ChromaSite)
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (1, 1), (2, 3), (3, 2)])
def test_planes_come_back(step, site, size):
    for range_, matrix, bits in ((Range.LIMITED, 1, 8), (Range.FULL, 5, 8), (Range.LIMITED, 9, 10)):
        layout = Layout(bits, *STEPS[step], range_, matrix, site)
        planes = planes_of(layout, *size)
        found = ycbcr.from_rgb(ycbcr.to_rgb(planes, layout), layout)
        for before, after in zip(planes, found, strict=True):
            assert before.shape == after.shape and before.dtype == after.dtype
            off = np.abs(before.astype(int) - after.astype(int))
            assert off.max() <= 1
            assert (off > 0).mean() <= (0.3 if bits == 8 else 0)


@pytest.mark.parametrize("matrix", sorted(ycbcr.WEIGHTS))
@pytest.mark.parametrize("range_", [Range.LIMITED, Range.FULL])
def test_grey_stays_grey_and_black_and_white_are_where_they_belong(matrix, range_):
    layout = Layout(8, 1, 1, range_, matrix)
    luma = np.array([[16, 235]] if range_ == Range.LIMITED else [[0, 255]], np.uint8)
    middle = np.full_like(luma, 128)
    found = ycbcr.to_rgb((luma, middle, middle), layout)
    assert found.tolist() == [[[0, 0, 0], [255, 255, 255]]]
    assert np.array_equal(ycbcr.from_rgb(found, layout)[0], luma)


def test_the_numbers_of_the_standards():
    """Pure red by BT.601 and BT.709, limited range: Y'CbCr (81, 90, 240) and (63, 102, 240)."""
    red = np.array([[[255, 0, 0]]], np.uint8)
    for matrix, wanted in ((6, [81, 90, 240]), (1, [63, 102, 240])):
        layout = Layout(8, 1, 1, Range.LIMITED, matrix)
        assert [int(p[0, 0]) for p in ycbcr.from_rgb(red, layout)] == wanted


def test_chroma_is_interpolated_where_it_lies():
    """A ramp stays a ramp: half steps between samples, quarter steps where they lie between columns."""
    ramp = np.arange(8, dtype=np.float32)[:, None]
    left = ycbcr._longer(ramp, 2, 16, is_centred=False)[:, 0]
    centre = ycbcr._longer(ramp, 2, 16, is_centred=True)[:, 0]
    assert left[:15].tolist() == [i / 2 for i in range(15)]
    assert centre[1:15].tolist() == [i / 2 - 0.25 for i in range(1, 15)]


def test_an_unknown_matrix_goes_by_the_height():
    layout = Layout(8, 2, 2, Range.UNKNOWN, 2)
    assert (layout.known_matrix(480), layout.known_matrix(720)) == (6, 1)


def test_grey_planes():
    layout = Layout(10, 1, 1, Range.LIMITED, 2, is_grey=True)
    luma = np.random.default_rng(0).integers(64, 941, (5, 7)).astype(np.uint16)
    (found,) = ycbcr.from_rgb(ycbcr.to_rgb((luma,), layout), layout)
    assert np.array_equal(found, luma)

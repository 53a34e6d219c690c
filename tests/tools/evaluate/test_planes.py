"""Conversion to planes and back is exact as far as the depth allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.errors import ImageError
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.evaluate.planes import pack, to_planes, to_rgb, to_ycbcr, unpack

SIDES = st.tuples(st.integers(1, 17), st.integers(1, 17))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(SIDES, st.integers(0, 99))
def test_ten_bits_hold_eight_bit_colours(sides, seed):
    rgb = noise(*sides, seed)
    assert np.abs(to_rgb(to_planes(rgb, 10), 10).astype(int) - rgb).max() <= 1


def test_cutting_fractions_off_costs_decibels():
    """Truncation limits the PSNR of the round trip; rounding does not."""
    rgb = noise(256, 256)
    truncated = psnr_db(rgb, to_rgb(to_planes(rgb, truncate=True)))
    rounded = psnr_db(rgb, to_rgb(to_planes(rgb)))
    deep = psnr_db(rgb, to_rgb(to_planes(rgb, 10), 10))
    assert truncated < 49 < rounded < 53 < deep


def test_known_colours():
    """ITU-R BT.709: grey has no chroma, the primaries have their luma."""
    colours = np.array([[[128, 128, 128], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    y, cb, cr = np.moveaxis(to_ycbcr(colours)[0], -1, 0)
    assert y == pytest.approx([128, 54.213, 182.376, 18.411])
    assert (cb[0], cr[0]) == pytest.approx((127.5, 127.5))
    assert (cr[1], cb[3]) == pytest.approx((255, 255))


@given(SIDES, st.tuples(*[st.integers(0, 255)] * 3))
def test_half_chroma_keeps_an_even_colour(sides, colour):
    rgb = np.full((*sides, 3), colour, np.uint8)
    planes = to_planes(rgb, 10, halve_chroma=True)
    assert planes[1].shape == (-(-sides[0] // 2), -(-sides[1] // 2))
    assert np.abs(to_rgb(planes, 10).astype(int) - rgb).max() <= 1


def test_chroma_is_interpolated_between_its_centres():
    ramp = np.full((2, 16), 512, np.uint16)
    half = [(64 * np.arange(8, dtype=np.uint16) + 200)[None]] * 2
    red = to_rgb([ramp, np.full((1, 8), 512, np.uint16), half[1]], 10)[0, :, 0].astype(int)
    steps = np.diff(red[1:-1])
    assert steps.min() >= 12 and steps.max() <= 14  # even: linear in between


@pytest.mark.parametrize(("depth", "half"), [(8, False), (8, True), (10, False), (10, True)])
def test_files_of_planes_are_read_back(depth, half):
    planes = to_planes(noise(6, 4), depth, half)
    data = pack(planes, depth)
    for a, b in zip(planes, unpack(data, 4, 6, depth, half), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ImageError, match=f"{len(data)} bytes, not {len(data) - 1}"):
        unpack(data[:-1], 4, 6, depth, half)


def test_ten_bits_are_little_endian():
    assert pack([np.array([[0x0203]], np.uint16)] * 3, 10) == b"\x03\x02" * 3

"""BD-rate against an independent package, published numbers and curves whose answer is known."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import METHODS, Curve, bd_quality, bd_rate, integral
from nacre.tools.evaluate.curves import read


@st.composite
def curves(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(4, 12))
    bpp = np.cumsum(rng.uniform(0.02, 0.4, count))
    return Curve("test", bpp, 27 + np.cumsum(rng.uniform(0.3, 2.5, count)))


@pytest.mark.parametrize("method", METHODS)
@given(curves(), curves())
def test_it_agrees_with_the_bjontegaard_package(method, a, b):
    options = {"method": method, "min_overlap": 0, "require_matching_points": False}
    for ours, theirs, values in (
        (bd_rate, bjontegaard.bd_rate, "quality"),
        (bd_quality, bjontegaard.bd_psnr, "rate"),
    ):
        x, y = getattr(a, values), getattr(b, values)
        if max(x[0], y[0]) * 1.02 > min(x[-1], y[-1]):
            continue
        expected = theirs(a.rate, a.quality, b.rate, b.quality, **options)
        if abs(expected) < 1e6:  # the cubic can swing without bound
            found = ours(a, b, method).value
            assert found == pytest.approx(expected, abs=1e-5 * (1 + abs(expected)))


@pytest.mark.parametrize("method", METHODS)
@given(curves(), st.floats(0.3, 3))
def test_a_curve_that_needs_a_factor_more_bits_says_so(method, curve, factor):
    found = bd_rate(curve, Curve("more", curve.rate * factor, curve.quality), method)
    assert found.value == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (found.low, found.high) == (curve.quality[0], curve.quality[-1])


@pytest.mark.parametrize("method", METHODS)
@given(curves(), st.floats(-3, 3))
def test_a_curve_that_is_better_by_some_decibels_says_so(method, curve, decibels):
    found = bd_quality(curve, Curve("better", curve.rate, curve.quality + decibels), method)
    assert found.value == pytest.approx(decibels, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@given(curves())
def test_the_integral_adds_up(method, curve):
    x, y = curve.quality, curve.rate
    middle = float(x.mean())
    parts = integral(x, y, x[0], middle, method) + integral(x, y, middle, x[-1], method)
    assert integral(x, y, x[0], x[-1], method) == pytest.approx(parts, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "percent"),  # the table of tools/anchors/README.md, by another program
    [
        ("hpcm-large_mse", -19.39), ("mlicplusplus", -14.41), ("cool-chic-5.0", -6.11),
        ("compressai-mbt2018-mean_mse", 21.96), ("bpg_444_x265_ycbcr", 23.55), ("hm", 25.16),
        ("measured-avif-psnr", 34.22), ("measured-webp", 78.13),
    ],
)  # fmt: skip
def test_published_curves_stand_where_they_are_known_to(name, percent):
    found = bd_rate(read("kodak:vtm-18.0").curve, read(f"kodak:{name}").curve)
    assert found.value == pytest.approx(percent, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "quality", "said"),
    [
        ([1.0], [30.0], "two points"),
        ([1, 1], [30, 30], "two points"),
        ([1, 2], [30], "as many rates"),
        ([0, 1], [30, 31], "over 0"),
        ([1, 2], [30, float("nan")], "finite"),
    ],
)
def test_what_is_no_curve_is_refused(rate, quality, said):
    with pytest.raises(UsageError, match=said):
        Curve.of("it", rate, quality)


def test_curves_apart_are_refused_with_both_ranges():
    a, b = Curve.of("a", [1, 2], [30, 31]), Curve.of("b", [1, 2], [40, 41])
    with pytest.raises(
        UsageError, match=r"a .*30\.00 to 31\.00 dB.* b .*40\.00 to 41\.00.*overlap"
    ):
        bd_rate(a, b)
    with pytest.raises(UsageError, match="overlap"):
        bd_quality(a, Curve.of("c", [3, 4], [30, 31]))


@pytest.mark.parametrize(
    ("rate", "quality", "said"),
    [
        ([1, 2, 3, 4], [30, 32, 31, 34], "does not rise with the rate at 3"),
        ([1, 2, 2, 4], [30, 31, 32, 34], "does not rise with the rate at 2"),
        ([1, 2], [30, 34], "2 points only"),
    ],
)
def test_odd_curves_are_remarked_upon(rate, quality, said):
    plain = Curve.of("plain", [1, 2, 3, 4], [30, 31, 32, 34])
    assert any(said in remark for remark in bd_rate(plain, Curve.of("odd", rate, quality)).remarks)
    assert bd_rate(plain, plain).remarks == ()


def test_a_small_range_in_common_is_remarked_upon():
    a, b = (
        Curve.of("a", [1, 2, 3, 4], [30, 32, 34, 36]),
        Curve.of("b", [1, 2, 3, 4], [35, 37, 39, 41]),
    )
    assert bd_rate(a, b).remarks == (
        "the range in common is 17% of that of a", "the range in common is 17% of that of b"
    )  # fmt: skip


def test_points_of_equal_quality_count_as_one():
    once = Curve.of("once", [1, 2, 4, 8], [30, 32, 34, 36])
    twice = Curve.of("twice", [1, 2, 2, 4, 8], [30, 32, 32, 34, 36])
    assert bd_rate(once, twice).value == pytest.approx(0)

"""BD-rate against an independent package, published numbers and curves whose answer is known."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.bdrate import Curve, bd_rate, integral, read_curve
from nacre.tools.evaluate.curve import ANCHORS


@st.composite
def curves(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(4, 12))
    bpp = np.cumsum(rng.uniform(0.02, 0.4, count))
    return Curve("test", bpp, 27 + np.cumsum(rng.uniform(0.3, 2.5, count)))


@given(curves(), curves())
def test_it_agrees_with_the_bjontegaard_package(a, b):
    if max(a.psnr_db[0], b.psnr_db[0]) + 0.5 > min(a.psnr_db[-1], b.psnr_db[-1]):
        return
    ours, _ = bd_rate(a, b)
    options = {"method": "pchip", "min_overlap": 0, "require_matching_points": False}
    theirs = bjontegaard.bd_rate(a.bpp, a.psnr_db, b.bpp, b.psnr_db, **options)
    assert ours == pytest.approx(theirs, abs=1e-6 * (1 + abs(theirs)))


@given(curves(), st.floats(0.3, 3))
def test_a_curve_that_needs_a_factor_more_bits_says_so(curve, factor):
    percent, (low, high) = bd_rate(curve, Curve("more", curve.bpp * factor, curve.psnr_db))
    assert percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (low, high) == (curve.psnr_db[0], curve.psnr_db[-1])


@given(curves())
def test_the_integral_adds_up(curve):
    x, y = curve.psnr_db, curve.bpp
    middle = float(x.mean())
    whole = integral(x, y, x[0], x[-1])
    assert whole == pytest.approx(integral(x, y, x[0], middle) + integral(x, y, middle, x[-1]))


def test_published_curves_stand_where_they_are_known_to():
    """On Kodak CompressAI's mean-scale hyperprior and BPG need some 20 % more than VTM, JPEG over 100."""
    by_name = {path.stem: read_curve(path) for path in ANCHORS}
    vtm = by_name["vtm-18.0"]
    assert len(vtm.bpp) == 36
    for name, low, high in (
        ("compressai-mbt2018-mean_mse", 15, 30), ("bpg_444_x265_ycbcr", 15, 30), ("measured-jpeg444", 100, 250)
    ):  # fmt: skip
        assert low < bd_rate(vtm, by_name[name])[0] < high


@pytest.mark.parametrize(
    ("bpp", "psnr", "said"),
    [
        ([1.0], [30.0], "two points"),
        ([1, 2], [31, 30], "does not rise"),
        ([1, 1], [30, 31], "does not rise"),
    ],
)
def test_what_is_no_curve_is_refused(bpp, psnr, said):
    with pytest.raises(UsageError, match=said):
        Curve.of("it", bpp, psnr)


def test_curves_apart_are_refused(tmp_path):
    with pytest.raises(UsageError, match="share no quality"):
        bd_rate(Curve.of("a", [1, 2], [30, 31]), Curve.of("b", [1, 2], [40, 41]))
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UsageError, match="holds no curve"):
        read_curve(tmp_path / "a.json")

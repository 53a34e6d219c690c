"""All file formats give the same curve; wrong files are refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.curves import ANCHORS, anchor_names, decibels, has_metric, read

BPP, PSNR, SSIM = [0.1, 0.3, 0.6, 1.0], [28.0, 31.0, 34.0, 37.0], [0.9, 0.95, 0.98, 0.99]


def test_every_published_curve_can_be_read():
    names = anchor_names()
    assert len(names) >= 243
    for name in names:
        assert any(has_metric(name, metric) for metric in ("psnr_rgb", "ms_ssim", "psnr_yuv")), name
    assert all(name.startswith("kodak:") for name in anchor_names("kodak"))


def test_every_published_curve_says_where_it_is_from():
    for path in ANCHORS.glob("*/*.json"):
        facts = json.loads(path.read_text())
        assert facts["conventions"] and (facts["source"].get("repo") or facts["measured"]), path


def test_luma_weighs_six_eighths_in_published_curves_of_planes():
    """Sources publish other weights too; curves by one metric must compare."""
    found = [json.loads(path.read_text()) for path in ANCHORS.glob("*/*.json")]
    with_planes = [facts for facts in found if "psnr_u" in facts]
    assert len(with_planes) >= 10
    for facts in with_planes:
        y, u, v = (np.array(facts[name]) for name in ("psnr_y", "psnr_u", "psnr_v"))
        np.testing.assert_allclose(facts["psnr_yuv"], (6 * y + u + v) / 8, atol=2e-3)


def written(tmp_path, kind):
    path = tmp_path / f"curve.{'csv' if 'csv' in kind else 'json'}"
    if kind == "plain":
        path.write_text(json.dumps({"codec": "it", "bpp": BPP, "psnr_rgb": PSNR, "ms_ssim": SSIM}))
    elif kind == "compressai":
        results = {"bpp": BPP, "psnr-rgb": PSNR, "ms-ssim-rgb": SSIM}
        path.write_text(json.dumps({"name": "it", "description": "", "results": results}))
    elif kind == "csv":
        lines = [",".join(map(str, row)) for row in zip(BPP, PSNR, SSIM, strict=True)]
        path.write_text("\n".join(["bpp,psnr_rgb,ms_ssim", *lines]))
    else:  # pictures whose means are the curve
        rows = zip(BPP, PSNR, decibels(SSIM), strict=True)
        lines = [
            f"{name},{bpp + d},{psnr - d},{db}"
            for bpp, psnr, db in rows
            for name, d in (("a", 0.05), ("b", -0.05))
        ]
        path.write_text("\n".join(["picture,bpp,psnr,ms_ssim_db", *lines]))
    return str(path)


@pytest.mark.parametrize("kind", ["plain", "compressai", "csv", "csv of pictures"])
def test_all_notations_are_one_curve(tmp_path, kind):
    name = written(tmp_path, kind)
    for metric, values in (("psnr_rgb", PSNR), ("ms_ssim", decibels(SSIM))):
        curve = read(name, metric).curve
        np.testing.assert_allclose(curve.rate, BPP)
        np.testing.assert_allclose(curve.quality, values)


def test_pictures_keep_their_own_curves(tmp_path):
    found = read(written(tmp_path, "csv of pictures"))
    assert sorted(found.pictures) == ["a", "b"]
    np.testing.assert_allclose(found.pictures["a"].rate, np.array(BPP) + 0.05)
    assert read(written(tmp_path, "csv")).pictures == {}


def test_ms_ssim_in_decibels_is_that_of_its_formula():
    assert decibels([0.9, 0.99, 0.0]) == pytest.approx([10, 20, 0])
    assert np.isfinite(decibels([1.0])).all()


def test_one_codec_of_several_is_picked_by_name(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("codec,bpp,psnr\na,1,30\na,2,33\nb,1,31\nb,2,34\n")
    assert read(f"{path}:b").curve.quality.tolist() == [31, 34]
    for name in (str(path), f"{path}:c"):
        with pytest.raises(UsageError, match="one codec is wanted"):
            read(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "no bpp"),
        ("[1]", "holds no curve"),
        ('{"codec": "a", "bpp": [1, 2]}', "no psnr_rgb"),
        (
            '{"codec": "a", "bpp": [1, "x"], "psnr_rgb": [1, 2]}',
            r"a\.json: bpp: .*got `str` - at `\$\[1\]`",
        ),
        ('{"codec": ["a"], "bpp": [1, 2], "psnr_rgb": [1, 2]}', r"a\.json: codec: .*got `array`"),
        ('{"results": {"bpp": 3, "psnr": [1, 2]}}', r"a\.json: bpp: .*got `int`"),
        ('{"codecs": [{"codec": "a"}]}', r"a\.json .*`name` - at `\$\.codecs\[0\]`"),
        ('{"codec": "a", "bpp": [1, 2], "psnr_rgb": [1, 2, 3]}', "as many rates"),
        ("not json", "holds no curve"),
    ],
)
def test_what_holds_no_curve_is_refused(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        read(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bpp,psnr\n1,30\nx,33\n", r"a\.csv, line 3: bpp is 'x', not a number"),
        ("bpp,psnr\n1,30\n2,\n", "no psnr_rgb"),
        ("picture,psnr\nb,30\nb,33\n", "no bpp"),
    ],
)
def test_a_csv_without_a_number_is_refused(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        read(str(tmp_path / "a.csv"))


def test_columns_of_a_csv_that_are_no_figures_are_passed_over(tmp_path):
    (tmp_path / "a.csv").write_text("bpp,remark,psnr\n1,good,30\n2,better,33\n")
    assert read(str(tmp_path / "a.csv")).curve.quality.tolist() == [30, 33]


def test_a_codec_whose_name_has_a_colon_is_picked(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("codec,bpp,psnr\na:b.json,1,30\na:b.json,2,33\nb,1,31\nb,2,34\n")
    assert read(f"{path}:a:b.json").curve.quality.tolist() == [30, 33]


def test_a_name_that_is_nearly_right_is_helped():
    with pytest.raises(UsageError, match=r"kodak:vtm-18\.0"):
        read("kodak:vtm-18")
    with pytest.raises(UsageError, match="No such file"):
        read("nowhere.json")
    with pytest.raises(UsageError, match="one of psnr_rgb"):
        read("kodak:vtm-18.0", "vmaf")

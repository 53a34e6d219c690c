"""What is measured is what is in the files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.tools.evaluate import curve


def test_psnr_is_that_of_its_formula():
    a = np.zeros((4, 4, 3), np.uint8)
    assert curve.psnr_db(a, a) == 99
    assert curve.psnr_db(a, a + 255) == pytest.approx(0)
    assert curve.psnr_db(a, a + 1) == pytest.approx(48.13, abs=0.01)


def test_a_folder_is_measured_on_real_files(tmp_path, photo, capsys):
    for i, box in enumerate([(0, 0, 64, 64), (40, 20, 104, 84)]):
        photo.crop(box).save(tmp_path / f"{i}.png")
    out = tmp_path / "ours.json"
    assert curve.main([str(tmp_path), "--qualities", "10", "40", "70", "--json", str(out)]) == 0
    assert "| VTM 18.0 |" in capsys.readouterr().out
    rows = json.loads(out.read_text())["rows"]
    assert len(rows) == 6
    image = Image.open(tmp_path / "0.png")
    data = codec.encode(image, quality=10, strip=True)
    assert rows[0]["bpp"] == 8 * len(data) / 64**2
    assert rows[0]["psnr_db"] == curve.psnr_db(np.asarray(image), np.asarray(codec.decode(data)))
    means = curve.read_curve(out)
    assert means.bpp[0] == pytest.approx((rows[0]["bpp"] + rows[3]["bpp"]) / 2)

"""Pictures without loss: of all modes, and every sample comes back."""

from __future__ import annotations

import numpy as np

from nacre.tools.studies import lossless_pictures


def test_pictures_are_of_all_modes(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    made = dict(lossless_pictures.pictures([tmp_path / "a.png"]))
    kinds = {(pixels.dtype.itemsize, pixels.shape[2]) for pixels in made.values()}
    assert kinds >= {(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 3), (2, 4)}


def test_a_small_run(figures, picture, monkeypatch):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 4), np.uint8)
    kinds = [("colours", pixels[..., :3]), ("grey, 16 bits", pixels[..., :1].astype(np.uint16) * 9)]
    monkeypatch.setattr(lossless_pictures, "pictures", lambda photos: iter(kinds))
    found = figures(lossless_pictures, picture)
    assert [f["is_equal"] for f in found["pictures"].values()] == [True, True]


def test_every_sample_that_was_measured_came_back(results):
    assert all(found["is_equal"] for found in results("lossless.json")["pictures"].values())

"""The studies of odd pictures: they find what they look for, and the docs have what they found."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.datasets import odd
from nacre.tools import lossless_pictures, odd_pictures, screens

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "odd.md").read_text()


def found(name: str):
    return json.loads((ROOT / "docs" / "results" / name).read_text())


def test_the_docs_have_the_figures_that_were_measured():
    assert odd_pictures.table(found("odd.json")["pictures"]) in DOCS
    assert screens.table(found("screens.json")["pages"]) in DOCS
    assert lossless_pictures.table(found("lossless.json")) in DOCS


def test_no_promise_was_broken():
    assert [
        line for picture in found("odd.json")["pictures"] for line in odd_pictures.faults(picture)
    ] == []


def test_a_picture_that_breaks_every_promise_is_found():
    rows = [
        {"quality": 30, "bytes": 900, "psnr_db": 30.0, "jpeg_db": 31.0},
        {"quality": 60, "bytes": 1100, "psnr_db": 29.0, "jpeg_db": None},
    ]
    said = odd_pictures.faults({"kind": "it", "webp_bytes": 1000, "rows": rows})
    assert len(said) == 3


def test_jpeg_between_its_qualities():
    curve = [(100, 20.0), (1000, 30.0), (10000, 40.0)]
    assert odd_pictures.jpeg_db(curve, 99) is None
    assert odd_pictures.jpeg_db(curve, 1000) == pytest.approx(30)
    assert 30 < odd_pictures.jpeg_db(curve, 3000) < 40


def test_odd_pictures_depend_on_the_seed_alone():
    first, again, other = (odd.draw(len(odd.KINDS), seed, 48) for seed in (1, 1, 2))
    for (kind, a), (_, b) in zip(first, again, strict=True):
        assert a.shape == (48, 48, 3) and a.dtype == np.uint8, kind
        assert np.array_equal(a, b), kind
    assert any(not np.array_equal(a, b) for (_, a), (_, b) in zip(first, other, strict=True))
    assert len(odd.KINDS) >= 15


def test_pages_depend_on_the_seed_alone(photo: Image.Image):
    first, again = (screens.pages(random.Random(3), [photo]) for _ in range(2))
    assert first == again and len(first) == 10


def test_lossless_pictures_are_of_all_modes(tmp_path, photo):
    photo.save(tmp_path / "a.png")
    made = dict(lossless_pictures.pictures([tmp_path / "a.png"]))
    kinds = {(pixels.dtype.itemsize, pixels.shape[2]) for pixels in made.values()}
    assert kinds >= {(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 3), (2, 4)}

"""Pictures are written whole, into the format that is named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import ImageWarning, Picture
from nacre.codec.pictures.writing import format_of, write_rows
from nacre.entropy.errors import ImageError, UsageError

WIDE = np.random.default_rng(2).integers(0, 65536, (9, 11, 4)).astype(np.uint16)
PICTURE = Picture(WIDE[..., :3], alpha=WIDE[..., 3])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["png", "tif", "npy"])
def test_reading_undoes_writing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    codec.write_picture(PICTURE, path)
    back = codec.read_picture(path)
    assert np.array_equal(back.pixels, PICTURE.pixels) and np.array_equal(back.alpha, PICTURE.alpha)


@pytest.mark.parametrize("format", ["PNG", "png", ".png"])
def test_a_file_needs_a_format(format):
    out = io.BytesIO()
    codec.write_picture(PICTURE, out, format)
    assert Image.open(out).format == "PNG"
    with pytest.raises(UsageError, match="needs a format"):
        codec.write_picture(PICTURE, io.BytesIO())


def test_pictures_of_pillow_are_written_too(photo, tmp_path):
    codec.write_picture(photo, tmp_path / "a.bmp")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.bmp")), np.asarray(photo))


def test_what_is_lost_is_told(tmp_path):
    with pytest.warns(ImageWarning, match="rounded"):
        codec.write_picture(Picture(WIDE[..., :3]), tmp_path / "a.bmp")
    with pytest.warns(ImageWarning, match=r"\.npy is written without orientation"):
        codec.write_picture(Picture(WIDE[..., :3], orientation=3), tmp_path / "a.npy")


def test_nothing_is_written_when_the_format_cannot_hold_it(tmp_path):
    with pytest.raises(ImageError, match="WEBP"):
        codec.write_picture(Picture(np.zeros((1, 17000, 1), np.uint8)), tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "said"), [("psd", "cannot write"), ("nothing", "is known by")])
def test_formats_that_are_not_written_are_told(name, said):
    with pytest.raises(UsageError, match=said):
        format_of(name)


def test_rows_of_a_file_of_ours():
    out = io.BytesIO()
    write_rows(codec.Opened(codec.encode(PICTURE, lossless=True)), out)
    out.seek(0)
    assert np.array_equal(np.load(out), WIDE)

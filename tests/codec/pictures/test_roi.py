"""Weights of a region of interest lie where a viewer shows the region."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import Picture
from nacre.codec.pictures import turned
from nacre.codec.pictures.roi import LEAST_WEIGHT
from nacre.entropy.errors import ImageError

STORED = np.zeros((96, 112, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rectangle_is_where_a_viewer_shows_it(orientation):
    weights = codec.roi_weights((10, 20, 30, 8), Picture(STORED, orientation=orientation))
    assert weights.shape == STORED.shape[:2] and weights.dtype == np.float32
    rows, columns = np.nonzero(turned.shown(weights == 1, orientation))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (10, 20, 39, 27)
    assert weights.min() == LEAST_WEIGHT


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_too(orientation):
    mask = np.random.default_rng(1).random(turned.shown(STORED, orientation).shape[:2])
    weights = codec.roi_weights(mask, Picture(STORED, orientation=orientation))
    wanted = LEAST_WEIGHT ** (1 - mask)
    assert np.allclose(turned.shown(weights, orientation), wanted)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_that_cannot_be_read_does_not_stop_a_region(photo):
    stored = photo.copy()
    stored.info["exif"] = b"Exif\0\0MM\0*" + b"\xff" * 9
    file = io.BytesIO()
    stored.save(file, "PNG", exif=stored.info["exif"])
    picture = codec.read_picture(io.BytesIO(file.getvalue()))
    assert codec.roi_weights((1, 2, 3, 4), picture).sum() > 0


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "1"])
def test_a_mask_may_have_any_mode(tmp_path, mode):
    half = np.zeros(STORED.shape[:2], bool)
    half[:, :56] = True
    if mode == "I;16":
        mask = Image.fromarray(half.astype(np.uint16) * 65535)
    elif mode == "RGBA":
        white = np.full((*half.shape, 3), 255, np.uint8)
        mask = Image.fromarray(np.dstack([white, half.astype(np.uint8) * 255]))
    else:
        mask = Image.fromarray(half)
    mask.save(tmp_path / "mask.png")
    weights = codec.roi_weights(codec.read_mask(tmp_path / "mask.png"), Picture(STORED))
    assert np.array_equal(weights == 1, half)


def test_the_orientation_of_the_mask_is_heeded(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(STORED[..., 0] + np.uint8(255)).save(tmp_path / "mask.png", exif=exif)
    assert codec.read_mask(tmp_path / "mask.png").shape == (112, 96)


def test_what_is_no_region_is_refused(tmp_path):
    picture = Picture(STORED)
    for box in ((500, 500, 5, 5), (0, 0, 0, 5)):
        with pytest.raises(ImageError, match="outside the 112x96"):
            codec.roi_weights(box, picture)
    with pytest.raises(ImageError, match="5x4, the picture 112x96"):
        codec.roi_weights(np.ones((4, 5)), picture)
    Image.new("L", (5, 5)).save(tmp_path / "black.png")
    with pytest.raises(ImageError, match="black everywhere"):
        codec.read_mask(tmp_path / "black.png")

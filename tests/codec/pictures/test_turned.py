"""Orientations, by what Pillow makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from nacre.codec.pictures import turned

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 8, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(orientation):
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    image.info["exif"] = image.getexif().tobytes()
    wanted = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(turned.shown(PIXELS, orientation), wanted)
    assert turned.shown_size(8, 5, orientation) == wanted.shape[1::-1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_part_of_what_is_shown_is_found(orientation):
    shown = turned.shown(PIXELS, orientation)
    for x, y, w, h in ((0, 0, 2, 3), (1, 2, 3, 2), (3, 1, 2, 4)):
        left, top, wide, high = turned.stored_box((x, y, w, h), 8, 5, orientation)
        part = PIXELS[top : top + high, left : left + wide]
        assert np.array_equal(turned.shown(part, orientation), shown[y : y + h, x : x + w])

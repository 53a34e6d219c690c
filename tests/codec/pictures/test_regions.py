"""Regions of the picture as shown are found in the file."""

from __future__ import annotations

import io

import numpy as np
import pytest

from nacre import codec
from nacre.codec import Picture
from nacre.codec.chunks import FileBytes
from nacre.codec.container import MetaKind
from nacre.codec.pictures import turned
from nacre.codec.pictures.regions import read_metadata
from nacre.entropy.errors import ImageError


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_region_is_of_the_picture_as_it_is_shown(photo, orientation):
    stored = np.asarray(photo)
    data = codec.encode(Picture(stored, orientation=orientation), lossless=True)
    region = codec.shown_region(data, (10, 20, 40, 70))
    part = turned.shown(np.asarray(codec.decode(data, region=region)), orientation)
    assert np.array_equal(part, turned.shown(stored, orientation)[20:90, 10:50])


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (-1, 0, 5, 5), (100, 0, 20, 5)])
def test_a_region_outside_is_refused(photo, box):
    data = codec.encode(photo, lossless=True)
    with pytest.raises(ImageError, match="is not inside 112x96"):
        codec.shown_region(data, box)


def test_metadata_is_read_and_no_more(photo):
    image = photo.copy()
    image.info["icc_profile"] = bytes(5000)
    data = codec.encode(image, lossless=True)
    file = FileBytes(io.BytesIO(data))
    assert read_metadata(file) == {MetaKind.ICC: bytes(5000)}
    assert file.bytes_read < 5300
    assert read_metadata(data[:-100]) == {MetaKind.ICC: bytes(5000)}

"""Pillow's limit on pixels holds for others, and not for pictures that our Limits allow."""

from __future__ import annotations

import io
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import jpeg, lossless
from nacre.codec.pictures.pillow_limit import pixel_limit
from nacre.entropy.errors import LimitError

pytestmark = pytest.mark.filterwarnings("error")
SAMPLES = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)
LIMITS = [5, SAMPLES.shape[0] * SAMPLES.shape[1] - 1]  # Pillow raises an error, or warns


@pytest.fixture(params=LIMITS)
def limit(request, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", request.param)


def png() -> io.BytesIO:
    out = io.BytesIO()
    Image.fromarray(SAMPLES).save(out, "PNG")
    return out


@pytest.mark.parametrize("coder", list(lossless.Coder))
def test_samples_without_loss_are_read_back(limit, coder, monkeypatch):
    samples = SAMPLES.astype(np.uint16) * 9 if coder == lossless.Coder.HALVES else SAMPLES
    if coder == lossless.Coder.PNG:
        monkeypatch.setattr(lossless, "LONGEST_WEBP_SIDE", 1)
    data = lossless.to_bytes(samples, care=0)
    assert data[0] == coder
    depth = 8 * samples.itemsize
    assert np.array_equal(lossless.from_bytes(data, samples.shape, depth), samples)


def test_mosaics_of_cells_are_read_back(limit):
    cells = np.zeros((3, 32, 32, 3), np.uint8)
    assert jpeg.from_bytes(jpeg.to_bytes(cells, 9), 3, 32, 3).shape == cells.shape


@pytest.mark.parametrize("lossless", [False, True])
def test_our_own_files_are_read_back(limit, lossless, tiny, photo):
    image = photo.copy()
    image.putalpha(photo.convert("L"))
    data = codec.encode(image, model=tiny, lossless=lossless)
    back = codec.decode(data, model=tiny)
    assert np.array_equal(np.asarray(back)[..., 3], np.asarray(image)[..., 3])


def test_others_meet_the_limit(limit):
    kinds = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    with pixel_limit(1200):
        Image.open(png()).load()
        found: list[BaseException] = []

        def open_elsewhere() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    Image.open(png())
                except kinds as error:
                    found.append(error)

        thread = threading.Thread(target=open_elsewhere)
        thread.start()
        thread.join()
    assert len(found) == 1
    with pytest.raises(kinds):
        Image.open(png())


def test_ours_holds_inside():
    with pixel_limit(1199):
        with pytest.raises(LimitError, match="30x40 pixels are over the limit of 1199"):
            Image.open(png())
        with pixel_limit(1200):
            Image.open(png())

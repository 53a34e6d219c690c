"""Chunks are found and put in, and 16-bit pictures are written as Pillow and FFmpeg read them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from nacre.codec.pictures import deep, png

WIDE = np.random.default_rng(1).integers(0, 65536, (23, 37, 4)).astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("band", [1, 1 << 20])
def test_what_is_written_is_read(channels, band, monkeypatch):
    monkeypatch.setattr(png, "BAND_BYTES", band)
    samples = WIDE[..., :channels]
    narrow = (samples >> 8).astype(np.uint8)
    found = np.asarray(Image.open(io.BytesIO(png.write(narrow))))
    assert np.array_equal(found.reshape(narrow.shape), narrow)
    if channels == 1:
        found = np.asarray(Image.open(io.BytesIO(png.write(samples))))[..., None]
    else:
        found = deep.read(png.write(samples))
    assert np.array_equal(found, samples)


def test_smooth_pictures_become_small():
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.dstack([x * 900, y * 900, x * 100 + y * 300]).astype(np.uint16)
    assert len(png.write(smooth)) < smooth.nbytes / 20


def test_chunks_are_put_in_and_found():
    out = io.BytesIO()
    Image.fromarray(WIDE[..., 0] >> 8).convert("L").quantize(8).save(out, "PNG", dpi=(72, 72))
    added = [png.icc_chunk(b"a profile"), png.density_chunk(300, 150, True), png.xmp_chunk("<x/>")]
    data = png.with_chunks(out.getvalue(), [*added, png.exif_chunk(b"II*\0")])
    kinds = [kind for kind, _ in png.chunks(io.BytesIO(data))]
    assert kinds == [b"IHDR", b"iCCP", b"pHYs", b"iTXt", b"eXIf", b"PLTE"]
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == b"a profile" and image.info["xmp"] == b"<x/>"
    assert [round(dots) for dots in image.info["dpi"]] == [300, 150]
    image.load()
    assert image.info["exif"] == b"Exif\0\0II*\0"
    assert png.bit_depth(io.BytesIO(data)) == 4


def test_pixels_that_are_not_square():
    data = png.with_chunks(png.write(WIDE), [png.density_chunk(4, 3, False)])
    assert Image.open(io.BytesIO(data)).info["aspect"] == (4, 3)


@pytest.mark.parametrize("size", [0, 8, 20, 40])
def test_a_file_that_ends_early_has_fewer_chunks(size):
    assert len(list(png.chunks(io.BytesIO(png.write(WIDE)[:size])))) <= 1

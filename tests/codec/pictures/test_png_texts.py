"""Comments and profiles of PNG files, of any length."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from nacre.codec.pictures import png, png_texts
from nacre.codec.pictures.metadata import ImageWarning
from nacre.codec.pictures.reading import read_picture


def saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return read_picture(io.BytesIO(data)).pixels


def with_text(photo, chunk: bytes, size: int) -> bytes:
    """A PNG file with a comment of that many bytes, unpacked."""
    packed = zlib.compress(b"x" * size)
    content = {
        b"tEXt": b"Key\0" + b"x" * size,
        b"zTXt": b"Key\0\0" + packed,
        b"iTXt": b"Key\0\1\0en\0Key\0" + packed,
        b"iCCP": b"Key\0\0" + packed,
    }[chunk]
    return png.with_chunks(saved(photo), [(chunk, content)])


@pytest.mark.filterwarnings("error", "ignore:texts are not kept")
@pytest.mark.parametrize("chunk", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_comments_and_profiles_may_be_longer_than_pillow_has_it(photo, chunk):
    assert np.array_equal(pixels(with_text(photo, chunk, 2_000_000)), np.asarray(photo))


@pytest.mark.parametrize("chunk", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_beyond_a_limit_they_are_dropped_aloud(photo, chunk):
    data = with_text(photo, chunk, png_texts.LONGEST_TEXT + 9)
    with pytest.warns(ImageWarning, match="a (comment|profile) of more than 16 MiB.*not kept"):
        assert np.array_equal(pixels(data), np.asarray(photo))
    assert PngImagePlugin.MAX_TEXT_CHUNK < png_texts.LONGEST_TEXT


def test_many_comments_are_no_bomb(photo):
    bomb = (b"zTXt", b"Key\0\0" + zlib.compress(bytes(png_texts.LONGEST_TEXT)))
    data = png.with_chunks(saved(photo), [bomb])
    at = data.find(b"zTXt") - 4
    chunk = data[at : at + 12 + len(bomb[1])]
    data = data[:at] + 200 * chunk + data[at:]
    tracemalloc.start()
    with pytest.warns(ImageWarning, match="not kept"):
        assert np.array_equal(pixels(data), np.asarray(photo))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * png_texts.ALL_TEXTS


def test_a_cut_chunk_does_not_disturb(photo):
    data = with_text(photo, b"zTXt", 9)
    for end in range(8, len(data), 97):
        assert png_texts.without_longer_texts(data[:end]) == data[:end]

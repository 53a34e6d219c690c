"""Pictures that were cut, and comments of any length."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from nacre.codec.pictures import png
from nacre.codec.pictures.metadata import ImageWarning
from nacre.entropy.errors import ImageError
from nacre.tools import picture_file
from nacre.tools.picture_file import opened_picture


def saved(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def pixels(tmp_path):
    """What is read of a file of that content; it ends as commands do, in an ImageError if not in a picture."""

    def read(data: bytes, salvage: bool = False) -> np.ndarray:
        path = tmp_path / "a.picture"
        path.write_bytes(data)
        with opened_picture(str(path), salvage) as image:
            try:
                return np.asarray(image)
            except Exception as error:
                raise ImageError(f"the picture cannot be read: {error}") from error

    return read


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP"])
def test_a_cut_picture_is_refused_with_the_option_that_helps(photo, pixels, format):
    data = saved(photo, format)
    data = data[: len(data) * 2 // 3]
    with pytest.raises(ImageError, match="--salvage codes what can be read"):
        pixels(data)
    with pytest.warns(ImageWarning, match="cut or damaged"):
        kept = pixels(data, salvage=True)
    whole = pixels(saved(photo, format))
    assert kept.shape == whole.shape
    assert np.array_equal(kept[:8], whole[:8]) or format == "BMP"  # which begins at the bottom
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_jpeg_without_its_end_marker_loses_nothing_that_shows(photo, pixels):
    data = saved(photo, "JPEG")
    with pytest.warns(ImageWarning, match="cut or damaged"):
        kept = pixels(data[:-2], salvage=True)
    assert np.array_equal(kept[:-16], pixels(data)[:-16])


@pytest.mark.filterwarnings("error")
def test_salvage_changes_nothing_for_whole_pictures(photo, pixels):
    assert np.array_equal(pixels(saved(photo, "PNG"), salvage=True), np.asarray(photo))


@pytest.mark.parametrize("data", [b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_where_nothing_can_be_read_no_hope_is_given(pixels, data):
    for salvage in (False, True):
        with pytest.raises(ImageError) as refused:
            pixels(data, salvage)
        assert "--salvage" not in str(refused.value)


def test_an_error_of_something_else_gives_no_advice(photo, tmp_path):
    photo.save(tmp_path / "a.png")
    with (
        pytest.raises(ImageError, match=r"^outside$"),
        opened_picture(str(tmp_path / "a.png")),
    ):
        raise ImageError("outside")


def test_an_empty_file_is_called_empty(pixels):
    with pytest.raises(ImageError, match="the file is empty"):
        pixels(b"")


def with_text(photo, chunk: bytes, size: int) -> bytes:
    """A PNG file with a comment of that many bytes, unpacked."""
    packed = zlib.compress(b"x" * size)
    content = {
        b"tEXt": b"Key\0" + b"x" * size,
        b"zTXt": b"Key\0\0" + packed,
        b"iTXt": b"Key\0\1\0en\0Key\0" + packed,
        b"iCCP": b"Key\0\0" + packed,
    }[chunk]
    return png.with_chunks(saved(photo, "PNG"), [(chunk, content)])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("chunk", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_comments_and_profiles_may_be_longer_than_pillow_has_it(photo, pixels, chunk):
    assert np.array_equal(pixels(with_text(photo, chunk, 2_000_000)), np.asarray(photo))


@pytest.mark.parametrize("chunk", [b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
def test_beyond_a_limit_they_are_dropped_aloud(photo, pixels, chunk):
    data = with_text(photo, chunk, picture_file.LONGEST_TEXT + 9)
    with pytest.warns(ImageWarning, match="a (comment|profile) of more than 16 MiB.*not kept"):
        assert np.array_equal(pixels(data), np.asarray(photo))
    assert PngImagePlugin.MAX_TEXT_CHUNK < picture_file.LONGEST_TEXT


def test_many_comments_are_no_bomb(photo, pixels):
    bomb = (b"zTXt", b"Key\0\0" + zlib.compress(bytes(picture_file.LONGEST_TEXT)))
    data = png.with_chunks(saved(photo, "PNG"), [bomb])
    at = data.find(b"zTXt") - 4
    chunk = data[at : at + 12 + len(bomb[1])]
    data = data[:at] + 200 * chunk + data[at:]
    tracemalloc.start()
    with pytest.warns(ImageWarning, match="not kept"):
        assert np.array_equal(pixels(data), np.asarray(photo))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * picture_file.ALL_TEXTS


def test_a_cut_chunk_does_not_disturb(photo):
    data = with_text(photo, b"zTXt", 9)
    for end in range(8, len(data), 97):
        assert picture_file.without_long_texts(data[:end]) == data[:end]

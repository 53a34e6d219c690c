"""The file of an image is found before and after loading, and is left as it was."""

from __future__ import annotations

import io

from PIL import Image

from nacre.codec.pictures.source import source


def test_the_position_of_the_file_is_kept_also_when_an_error_is_raised():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    image = Image.open(file)
    place = file.tell()
    try:
        with source(image) as found:
            assert found is file and file.tell() == 0
            raise KeyError
    except KeyError:
        assert file.tell() == place


def test_a_closed_file_is_none():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    image = Image.open(file)
    image.load()
    file.close()
    with source(image) as found:
        assert found is None


def test_a_copy_has_no_source(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    for where, is_there in ((image, True), (image.copy(), False), (image, True)):
        with source(where) as file:
            assert (file is not None) == is_there
    with source(Image.new("L", (1, 1))) as file:
        assert file is None

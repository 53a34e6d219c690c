"""Pillow reads and writes .ncr files as it does its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import nacre.codec.pillow_plugin
from nacre import codec
from nacre.codec.pictures import pillow_plugin


def test_saving_and_opening(photo, tmp_path):
    photo.save(tmp_path / "b.ncr", quality=60, effort=0)
    assert (tmp_path / "b.ncr").read_bytes() == codec.encode(photo, quality=60, effort=0)
    photo.save(tmp_path / "a.ncr", quality=60)
    data = (tmp_path / "a.ncr").read_bytes()
    assert data == codec.encode(photo, quality=60)
    with Image.open(tmp_path / "a.ncr") as image:
        assert (image.format, image.mode, image.size) == ("NACRE", "RGB", photo.size)
        assert np.array_equal(np.asarray(image), np.asarray(codec.decode(data)))


class Counting(io.BytesIO):
    """A file that counts the bytes that are read from it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.count += len(found)
        return found


@pytest.fixture
def file(photo) -> Counting:
    image = photo.copy()
    image.info["icc_profile"] = bytes(3000)
    return Counting(codec.encode(image, quality=60, effort=0))


def test_opening_reads_the_head_and_the_metadata_alone(file, photo, monkeypatch):
    monkeypatch.setattr(pillow_plugin.codec, "decode", None)
    image = Image.open(file)
    assert image.size == photo.size and image.info["icc_profile"] == bytes(3000)
    assert 3000 < file.count < 3200 < len(file.getvalue())


def test_damage_of_the_pixels_is_told_when_they_are_loaded(file):
    data = bytearray(file.getvalue())
    data[-300] ^= 255
    image = Image.open(io.BytesIO(data))
    with pytest.raises(OSError, match="checksum"):
        image.load()
    data[20] ^= 255
    with pytest.raises(OSError, match="HEAD: the checksum"):
        Image.open(io.BytesIO(data))


def test_a_file_may_begin_anywhere(file, photo):
    other = io.BytesIO(b"before it" + file.getvalue())
    other.seek(9)
    image = pillow_plugin.NacreImageFile(other)
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(file)))


def test_the_file_must_be_open_until_the_pixels_are_loaded(file, tmp_path):
    path = tmp_path / "a.ncr"
    path.write_bytes(file.getvalue())
    image = Image.open(path)
    opened = image.fp
    image.load()
    assert opened.closed and image.fp is None
    image.load()
    with open(path, "rb") as opened:
        image = Image.open(opened)
    with pytest.raises(ValueError, match="closed file"):
        image.load()
    with Image.open(path) as image:
        pass
    with pytest.raises(ValueError, match="closed before"):
        image.load()
    image = Image.open(file)
    image.load()
    assert not file.closed  # who opened it closes it


def test_verifying_looks_at_every_chunk_and_decodes_nothing(file, monkeypatch):
    monkeypatch.setattr(pillow_plugin.codec, "decode", None)
    image = Image.open(file)
    image.verify()
    assert image.fp is None
    with pytest.raises(RuntimeError, match="directly after"):
        image.verify()
    data = bytearray(file.getvalue())
    for end in (-300, -1):
        damaged = data.copy()
        damaged[end] ^= 255
        with pytest.raises(OSError, match="checksum"):
            Image.open(io.BytesIO(damaged)).verify()
    with pytest.raises(OSError, match="left"):
        Image.open(io.BytesIO(data[:-5])).verify()


def test_thumbnails_and_copies_are_made_as_of_any_image(file, photo):
    image = Image.open(file)
    image.thumbnail((32, 32))
    assert image.size == (32, 27)
    assert Image.open(file).copy().size == photo.size


def test_grey_and_metadata(photo):
    grey, exif, out = photo.convert("L"), Image.Exif(), io.BytesIO()
    exif[0x010F] = "a camera"
    grey.save(out, "NACRE", exif=exif, icc_profile=b"a profile")
    back = Image.open(out)
    assert back.mode == "L"
    assert back.getexif()[0x010F] == "a camera"
    assert back.info["icc_profile"] == b"a profile"


@pytest.mark.parametrize("at", [12, -30, -1])
def test_damage_is_an_oserror(photo, at):
    out = io.BytesIO()
    photo.save(out, "NACRE")
    data = bytearray(out.getvalue())
    data[at] ^= 255
    with pytest.raises(OSError, match=r"."):
        Image.open(io.BytesIO(data)).load()


def test_metadata_given_to_save_takes_the_place_of_the_images_own(photo):
    image = photo.copy()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info |= {"exif": exif.tobytes(), "icc_profile": b"its own", "xmp": b"<x/>"}
    image.getexif()[0x0112] = 6
    options = {"lossless": True, "icc_profile": None, "xmp": b"<y/>"}
    kept, turned = io.BytesIO(), io.BytesIO()
    image.save(kept, "NACRE", **options)
    exif[0x0112] = 3
    image.save(turned, "NACRE", exif=exif, **options)
    for file, orientation in ((kept, 6), (turned, 3)):
        found = Image.open(file)
        assert found.getexif()[0x0112] == codec.info(file.getvalue()).orientation == orientation
        assert "icc_profile" not in found.info and found.info["xmp"] == b"<y/>"
    assert image.info["xmp"] == b"<x/>"


def test_what_cannot_be_written_is_an_oserror():
    with pytest.raises(OSError, match="cannot write"):
        Image.new("F", (4, 4)).save(io.BytesIO(), "NACRE")


def test_registering_twice_changes_nothing():
    pillow_plugin.register()
    assert Image.registered_extensions()[".ncr"] == "NACRE"
    assert nacre.codec.pillow_plugin.register is pillow_plugin.register


def test_a_cut_file_opens_when_pillow_is_told_so(photo, monkeypatch):
    from nacre.codec import tiles

    monkeypatch.setattr(tiles, "SMALLEST_PART_BYTES", 100)
    data = codec.encode(photo, quality=60)
    with pytest.raises(OSError, match="3 left"):
        Image.open(io.BytesIO(data[:-5])).load()
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    with pytest.warns(codec.CutFileWarning):
        assert Image.open(io.BytesIO(data[:-5])).convert("RGB").size == photo.size

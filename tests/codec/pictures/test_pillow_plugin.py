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


def test_opening_reads_the_head_alone(photo, monkeypatch):
    out = io.BytesIO()
    photo.save(out, "NACRE")
    monkeypatch.setattr(pillow_plugin.codec, "decode", None)
    assert Image.open(out).size == photo.size


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
        Image.open(io.BytesIO(data[:-5]))
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    with pytest.warns(codec.CutFileWarning):
        assert Image.open(io.BytesIO(data[:-5])).convert("RGB").size == photo.size

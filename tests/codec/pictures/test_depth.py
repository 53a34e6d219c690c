"""16-bit colour survives loading by Pillow where its file is there, and is never rounded in silence."""

from __future__ import annotations

import io
import os
import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

import nacre.codec.pillow_plugin  # noqa: F401
from nacre import codec
from nacre.codec.pictures import deep, depth, profiles, tiff
from nacre.codec.pictures.colour import ImageWarning, to_picture

WIDE = np.random.default_rng(3).integers(0, 65536, (9, 11, 4)).astype(np.uint16)
KINDS = [(kind, channels) for kind in ("PNG", "TIFF") for channels in (3, 4)] + [("PNG", 2)]


def whole(picture) -> np.ndarray:
    planes = [picture.pixels] + ([picture.alpha] if picture.alpha is not None else [])
    return np.dstack(planes)


def quiet(image) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return whole(to_picture(image))


@pytest.fixture(params=KINDS, ids=str)
def wide(request):
    """Samples, and the file that has them."""
    kind, channels = request.param
    return WIDE[..., :channels], deep.write(WIDE[..., :channels], kind)


def test_an_image_that_is_loaded_keeps_16_bits_by_its_path(wide, tmp_path):
    (tmp_path / "a").write_bytes(wide[1])
    with Image.open(tmp_path / "a") as image:
        image.load()
    assert np.array_equal(quiet(image), wide[0])
    again = pickle.loads(pickle.dumps(image))
    assert np.array_equal(quiet(again), wide[0])


def test_and_by_an_open_file(wide):
    file = io.BytesIO(wide[1])
    image = Image.open(file)
    image.load()
    file.seek(5)
    assert np.array_equal(quiet(image), wide[0]) and file.tell() == 5


def test_saving_by_the_plugin_keeps_16_bits(wide, tmp_path):
    (tmp_path / "a").write_bytes(wide[1])
    for options in ({}, {"exif": b""}):
        out = io.BytesIO()
        Image.open(tmp_path / "a").save(out, "NACRE", lossless=True, **options)
        assert np.array_equal(whole(codec.Opened(out.getvalue()).picture()), wide[0])


def test_a_turned_tiff_is_turned_after_loading_too():
    data = tiff.write(WIDE[..., :3], orientation_block(6))
    image, loaded = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(data))
    loaded.load()
    assert np.array_equal(quiet(loaded), quiet(image))
    assert quiet(image).shape == (11, 9, 3)


def orientation_block(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("change", ["pixel", "size", "alpha"])
def test_an_image_that_was_changed_is_rounded_aloud(wide, change):
    image = Image.open(io.BytesIO(wide[1]))
    if change == "pixel":
        image.putpixel((3, 4), (1,) * len(image.getbands()))
    elif change == "size":
        image.thumbnail((5, 5))
    else:
        image.putalpha(7)
    with pytest.warns(
        ImageWarning, match="16-bit samples are rounded to 8 bits: the image was chang"
    ):
        picture = to_picture(image)
    assert picture.pixels.dtype == np.uint8
    assert np.array_equal(whole(picture)[..., -1], np.asarray(image)[..., -1])


def test_a_tiff_whose_file_is_gone_is_rounded_aloud(tmp_path):
    (tmp_path / "a").write_bytes(deep.write(WIDE[..., :3], "TIFF"))
    with Image.open(tmp_path / "a") as image:
        image.load()
    os.remove(tmp_path / "a")
    with pytest.warns(ImageWarning, match="cannot be reached"):
        assert to_picture(image).pixels.dtype == np.uint8


@pytest.mark.parametrize("format", ["PPM", "SGI"])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_other_files_of_16_bits_are_rounded_aloud(tmp_path, format, is_loaded):
    (tmp_path / "a").write_bytes(other(format))
    image = Image.open(tmp_path / "a")
    if is_loaded:
        image.load()
    with pytest.warns(ImageWarning, match="16-bit samples are rounded to 8 bits"):
        assert to_picture(image).pixels.dtype == np.uint8


def other(format: str) -> bytes:
    wide = WIDE[..., :3].astype(">u2")
    if format == "PPM":
        return b"P6 # a comment\n11 9\n65535\n" + wide.tobytes()
    head = b"\x01\xda\0\x02\0\x03\0\x0b\0\x09\0\x03"
    return head.ljust(512, b"\0") + np.moveaxis(wide[::-1], 2, 0).tobytes()


def test_a_later_frame_is_not_taken_for_the_first(wide, monkeypatch):
    image = Image.open(io.BytesIO(wide[1]))
    monkeypatch.setattr(image, "tell", lambda: 1)
    with pytest.warns(ImageWarning, match="rounded to 8 bits"):
        assert to_picture(image).pixels.dtype == np.uint8


def test_depth_is_told_by_info_where_a_plug_in_says_it():
    image = Image.new("RGB", (4, 4))
    image.info["bit_depth"] = 10
    with pytest.warns(ImageWarning, match="10-bit samples are rounded"):
        to_picture(image)


def test_depth_is_found_in_the_heads_of_files():
    def saved(format: str) -> bytearray:
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, format)
        return bytearray(out.getvalue())

    data = saved("JPEG2000")
    assert depth.HEADS["JPEG2000"](io.BytesIO(data)) == 8
    data[data.index(b"\xff\x4f\xff\x51") + 42] = 11
    assert depth.HEADS["JPEG2000"](io.BytesIO(data)) == 12
    data = saved("AVIF")
    assert depth.HEADS["AVIF"](io.BytesIO(data)) == 8
    data[data.index(b"av1C") + 6] |= 64
    assert depth.HEADS["AVIF"](io.BytesIO(data)) == 10
    assert all(read(io.BytesIO(b"")) == 8 for read in depth.HEADS.values())


def test_the_colours_that_a_png_names_survive_loading(tmp_path):
    from nacre.codec.pictures import png

    out = io.BytesIO()
    Image.fromarray(WIDE[..., :3].astype(np.uint8)).save(out, "PNG")
    data = png.with_chunks(out.getvalue(), [(b"cICP", bytes([9, 13, 0, 1]))])
    image = Image.open(io.BytesIO(data))
    image.load()
    assert to_picture(image).metadata == to_picture(Image.open(io.BytesIO(data))).metadata != {}
    assert profiles.by_numbers(9, 13) is not None

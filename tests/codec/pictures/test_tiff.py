"""16-bit colour out of TIFF files of every layout, and files that other readers take."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nacre.codec.pictures import ifd, tiff
from nacre.entropy.errors import ImageError

_spec = importlib.util.spec_from_file_location(
    "tiff_files", Path(__file__).with_name("tiff_files.py")
)
tiff_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiff_files)
plain = tiff_files.plain

WIDE = np.random.default_rng(1).integers(0, 65536, (23, 37, 4)).astype(np.uint16)
RGB = WIDE[..., :3]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("packing", [{}, {"packed": True}, {"packed": True, "predicted": True}])
def test_every_layout_is_read(order, tile, planar, packing):
    data = plain(RGB, 2, order=order, tile=tile, planar=planar, **packing)
    assert np.array_equal(tiff.read(data), RGB)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_what_pillow_compresses_is_unpacked(compression):
    """Pillow writes no 16-bit colour: the bytes are written as grey of 8 bits, and their tags changed."""
    out, rows = io.BytesIO(), RGB.astype("<u2").view(np.uint8).reshape(23, -1)
    Image.fromarray(rows).save(out, "TIFF", compression=compression)
    kinds = {256: 37, 258: (16, 16, 16), 262: 2, 277: 3}
    assert np.array_equal(tiff.read(ifd.edited(out.getvalue(), kinds, kinds)), RGB)


def test_transparency_is_undone_where_it_was_multiplied_in():
    alpha = WIDE[..., 3:] | 0x4000
    associated = np.concatenate([np.round(RGB * (alpha / 65535)).astype(np.uint16), alpha], 2)
    back = tiff.read(plain(associated, 2, more={338: (3, [1])}))
    assert np.array_equal(back[..., 3:], alpha)
    assert np.abs(back[..., :3].astype(int) - RGB).max() <= 3  # a quarter is the least share
    assert np.array_equal(tiff.read(plain(WIDE, 2, more={338: (3, [2])})), WIDE)
    clear = np.zeros((4, 4, 4), np.uint16)
    assert not tiff.read(plain(clear, 2, more={338: (3, [1])})).any()


def test_a_channel_without_a_meaning_is_no_transparency():
    assert np.array_equal(tiff.read(plain(WIDE, 2, more={338: (3, [0])})), RGB)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (plain(RGB, 2)[:300], "cannot be read"),
        (plain(RGB[..., :1], 1), "not RGB of 16 bits"),
        (plain(RGB.astype(np.uint8), 2), "not RGB of 16 bits"),
        (plain(RGB, 2, tile=16, more={322: (4, [2**31]), 323: (4, [2**31])}), "tiles of"),
        (plain(RGB, 2, more={278: (4, [1])}), "no picture"),
        (plain(RGB, 2, packed=True).replace(b"x\x9c", b"xx"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(data, said):
    with pytest.raises(ImageError, match=said):
        tiff.read(data)


KINDS = [(np.uint8, 1), (np.uint8, 2), (np.uint8, 3), (np.uint8, 4)]
KINDS += [(np.uint16, 1), (np.uint16, 3), (np.uint16, 4)]  # of 2 Pillow has no such mode


@pytest.mark.parametrize(("kind", "channels"), KINDS)
@pytest.mark.parametrize("endian", ["<", ">", None])
def test_pillow_reads_what_is_written(kind, channels, endian):
    samples, block = (WIDE[..., :channels] >> (0 if kind == np.uint16 else 8)).astype(kind), b""
    if endian:
        exif = Image.Exif()
        exif.endian, exif[271], exif[256] = endian, "a camera", 3
        exif.get_ifd(ifd.EXIF_IFD)[33434] = 0.01
        block = exif.tobytes().removeprefix(b"Exif\0\0")
    data = tiff.write(samples, block, b"a profile", b"<x/>")
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == b"a profile" and image.info["xmp"] == b"<x/>"
    if endian:
        assert image.getexif()[271] == "a camera"
        assert float(image.getexif().get_ifd(ifd.EXIF_IFD)[33434]) == 0.01
    image.load()
    assert image.size == (37, 23) and image.n_frames == 1
    if kind == np.uint8 or channels == 1:
        assert np.array_equal(np.asarray(image).reshape(samples.shape), samples)
    else:
        assert np.array_equal(tiff.read(data), samples)


def test_a_picture_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(tiff, "ROOM", 1000)
    with pytest.raises(ImageError, match="too large"):
        tiff.write(WIDE)

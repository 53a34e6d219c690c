"""Pixels of files that Pillow opens: right, converted aloud, or refused."""

from __future__ import annotations

import importlib.util
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from nacre.codec.container import MetaKind
from nacre.codec.pictures import png, turned
from nacre.codec.pictures.colour import ImageWarning, Picture, to_picture
from nacre.entropy.errors import ImageError

_spec = importlib.util.spec_from_file_location(
    "tiff_files", Path(__file__).with_name("tiff_files.py")
)
tiff_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiff_files)
plain = tiff_files.plain

RGB = np.random.default_rng(1).integers(0, 256, (23, 37, 3), np.uint8)
GREY = RGB[..., :1]
WIDE = np.random.default_rng(1).integers(0, 65536, (23, 37, 4)).astype(np.uint16)
ALPHA = WIDE[..., 3]


def read(data: bytes, said: str | None = None) -> Picture:
    """The picture of a file, with the one warning that is wanted, or none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = to_picture(Image.open(io.BytesIO(data)))
    messages = [str(w.message) for w in caught if issubclass(w.category, ImageWarning)]
    assert len(messages) == (said is not None), messages
    assert said is None or said in messages[0]
    return picture


def saved(image: Image.Image, format: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("samples", [RGB, GREY, WIDE[..., :1], WIDE[..., :3]])
def test_tiff_is_turned_as_it_is_shown(orientation, samples):
    photometric = 2 if samples.shape[2] == 3 else 1
    picture = read(plain(samples, photometric, more={274: (3, [orientation])}))
    assert np.array_equal(picture.pixels, turned.shown(samples, orientation))
    assert picture.orientation == 1 and picture.metadata == {}


@pytest.mark.parametrize("samples", [GREY, WIDE[..., :1]])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_white_that_is_zero_is_white(samples, is_loaded):
    image = Image.open(io.BytesIO(plain(samples, 0)))
    if is_loaded:
        image.load()
    assert np.array_equal(to_picture(image).pixels, ~samples)


def test_planes_and_tiles_of_8_bits():
    assert np.array_equal(read(plain(RGB, 2, planar=True)).pixels, RGB)
    assert np.array_equal(read(plain(RGB, 2, planar=True, packed=True, rows=23)).pixels, RGB)
    assert np.array_equal(read(plain(RGB, 2, tile=16)).pixels, RGB)


def test_a_palette_of_tiff():
    image = Image.fromarray(RGB).quantize(16)
    data = saved(image, "TIFF")
    assert np.array_equal(read(data).pixels, np.asarray(image.convert("RGB")))


def test_colour_differences_that_are_not_compressed():
    """Blocks of 2x2: four of brightness, one blue and one red difference."""
    mcu = bytes([100, 100, 100, 100, 90, 200])
    tags = {
        256: (4, [8]), 257: (4, [4]), 258: (3, [8, 8, 8]), 259: (3, [1]), 262: (3, [6]),
        277: (3, [3]), 278: (3, [4]), 530: (3, [2, 2]), 531: (3, [1]),
        532: (5, [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1]),
    }  # fmt: skip
    pixels = read(tiff_files.tiff_file(tags, [mcu * 8])).pixels
    assert pixels.shape == (4, 8, 3)
    wanted = [100 + 1.402 * 72, 100 - 0.344 * -38 - 0.714 * 72, 100 + 1.772 * -38]
    assert np.abs(pixels - np.array(wanted)).max() <= 2


def test_lab_is_converted_as_it_is_defined():
    """L* 50 with a* of 60: a red that is not near grey."""
    pixels = np.tile(np.array([128, 60, 0], np.uint8), (4, 4, 1))
    found = read(plain(pixels, 8), "LAB is converted to sRGB").pixels[0, 0]
    assert np.abs(found.astype(int) - [206, 63, 122]).max() <= 1


def test_cmyk_of_16_bits_says_both():
    wide = np.full((4, 4, 4), 65535, np.uint16) * np.array([0, 1, 1, 0], np.uint16)
    with pytest.warns(ImageWarning) as caught:
        picture = to_picture(Image.open(io.BytesIO(plain(wide, 5))))
    assert sorted(str(w.message) for w in caught) == [
        "16-bit samples are rounded to 8 bits",
        "CMYK is converted to sRGB",
    ]
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_of_32_bits(order):
    few = WIDE[..., :1].astype(np.uint32)
    if order == "<":  # Pillow knows no other
        assert np.array_equal(read(plain(few, 1), "32 bits").pixels, WIDE[..., :1])
        assert np.array_equal(read(plain(few * 65537, 1), "32-bit").pixels, WIDE[..., :1])
    signed = few.astype(np.int32)
    assert np.array_equal(read(plain(signed, 1, order), "32 bits").pixels, WIDE[..., :1])
    for wrong in (signed - 1000, signed * 1000):
        with pytest.raises(ImageError, match="0 to 65535 are supported"):
            to_picture(Image.open(io.BytesIO(plain(wrong, 1, order))))


@pytest.mark.parametrize("photometric", [0, 1])
def test_floats(photometric):
    wanted = WIDE[..., :1] if photometric else ~WIDE[..., :1]
    floats = (WIDE[..., :1] / 65535).astype(np.float32)
    assert np.array_equal(read(plain(floats, photometric), "floats").pixels, wanted)
    for wrong in (floats * 255, floats - 1, np.full_like(floats, np.nan)):
        with pytest.raises(ImageError, match="0 to 1 are supported"):
            to_picture(Image.open(io.BytesIO(plain(wrong, photometric))))


def test_12_bits_reach_white():
    levels = np.array([[0, 4095, 2048, 16]], np.uint16)
    packed = bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x10])
    tags = {
        256: (4, [4]),
        257: (4, [1]),
        258: (3, [12]),
        259: (3, [1]),
        262: (3, [1]),
        277: (3, [1]),
    }
    pixels = read(tiff_files.tiff_file(tags, [packed])).pixels
    assert np.array_equal(pixels[..., 0], levels << 4 | levels >> 8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_a_fourth_channel_of_tiff(kind, extra):
    samples = WIDE if kind == np.uint16 else (WIDE >> 8).astype(np.uint8)
    white = np.iinfo(kind).max
    samples[..., 3] |= 1 << (8 * samples.itemsize - 2)
    stored = samples
    if extra == 1:
        share = samples[..., 3:] / white
        stored = np.round(samples * np.concatenate([share.repeat(3, 2), share * 0 + 1], 2))
    data = plain(stored.astype(kind), 2, more={338: (3, [extra])})
    picture = read(data, None if extra else "without a defined meaning")
    if extra == 0:
        assert picture.alpha is None and np.array_equal(picture.pixels, samples[..., :3])
        return
    assert np.array_equal(picture.alpha, samples[..., 3])
    assert np.abs(picture.pixels.astype(int) - samples[..., :3]).max() <= (4 if extra == 1 else 0)


def test_grey_with_transparency_multiplied_in():
    stored = np.dstack([GREY // 4, np.full_like(GREY, 64)])
    picture = read(plain(stored, 1, more={338: (3, [1])}))
    assert np.array_equal(picture.alpha, stored[..., 1])
    assert np.abs(picture.pixels - GREY.astype(int)).max() <= 4


def png_file(samples: np.ndarray, *added: tuple[bytes, bytes]) -> bytes:
    return png.with_chunks(png.write(samples), added)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_colour_of_png_is_transparent(kind, channels):
    samples = (WIDE[..., :channels] >> (8 if kind == np.uint8 else 0)).astype(kind)
    level = samples[3, 5]
    data = png_file(samples, (b"tRNS", level.astype(">u2").tobytes()))
    picture = read(data)
    assert np.array_equal(picture.pixels, samples)
    clear = (samples == level).all(2)
    assert clear.any() and np.array_equal(picture.alpha, np.where(clear, 0, np.iinfo(kind).max))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_one_level_of_few_is_transparent(bits):
    levels = np.arange(32, dtype=np.uint8).reshape(4, 8) % 2**bits
    image = Image.fromarray(levels)
    rows = np.unpackbits(levels[..., None], axis=2)[..., 8 - bits :].reshape(4, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in np.packbits(rows, axis=1))
    head = struct.pack(">IIBB3x", *image.size, bits, 0)
    clear = 2**bits - 1
    data = png.SIGNATURE + b"".join(
        png._chunk(*chunk)
        for chunk in (
            (b"IHDR", head), (b"tRNS", struct.pack(">H", clear)), (b"IDAT", zlib.compress(raw)),
            (b"IEND", b""),
        )
    )  # fmt: skip
    picture = read(data)
    assert np.array_equal(picture.pixels[..., 0], levels * (255 // clear))
    assert np.array_equal(picture.alpha == 0, levels == clear)


def test_grey_of_16_bits_with_transparency_stays_grey():
    picture = read(png.write(WIDE[..., 2:]))
    assert np.array_equal(picture.pixels, WIDE[..., 2:3]) and np.array_equal(picture.alpha, ALPHA)


def test_a_palette_with_transparency_of_its_own():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([255, 0, 0, 0] * 256, "RGBA")
    assert not to_picture(image).alpha.any()


@pytest.mark.parametrize("orientation", [1, 6])
def test_what_a_png_of_16_bits_says_is_kept(orientation):
    exif = Image.Exif()
    exif[0x0112], exif[271] = orientation, "a camera"
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    chunks = [png.icc_chunk(b"a profile"), png.exif_chunk(block), png.xmp_chunk("<x/>")]
    picture = read(png_file(WIDE[..., :3], *chunks))
    assert np.array_equal(picture.pixels, WIDE[..., :3]) and picture.orientation == orientation
    assert picture.metadata == {
        MetaKind.ICC: b"a profile",
        MetaKind.EXIF: block,
        MetaKind.XMP: b"<x/>",
    }


def test_every_orientation_is_that_of_pillow():
    """A TIFF that Pillow loads and turns itself."""
    data = plain(RGB, 2, more={274: (3, [7])})
    assert np.array_equal(
        read(data).pixels, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    )


def test_narrow_range_is_spread():
    narrow = np.round(RGB.astype(float) * 219 / 255 + 16).astype(np.uint8)
    picture = read(png_file(narrow, (b"cICP", bytes([1, 13, 0, 0]))), "narrow range")
    assert np.abs(picture.pixels.astype(int) - RGB).max() <= 1 and picture.metadata == {}
    wide = np.round(WIDE / 65535 * 219 * 256 + 16 * 256).astype(np.uint16)
    picture = read(png_file(wide, (b"cICP", bytes([1, 13, 0, 0]))), "narrow range")
    assert np.abs(picture.pixels.astype(int) - WIDE[..., :3]).max() <= 1
    assert np.array_equal(picture.alpha, wide[..., 3])


@pytest.mark.parametrize("levels", [255, 1023, 65535])
def test_depth_that_pillow_does_not_give_is_said(levels):
    size = 2 if levels > 255 else 1
    wide = (RGB.astype(np.uint32) * levels // 255).astype(f">u{size}")
    data = b"P6 37 23 %d\n" % levels + wide.tobytes()
    picture = read(data, f"{levels.bit_length()}-bit" if levels > 255 else None)
    assert np.abs(picture.pixels.astype(int) - RGB).max() <= 1

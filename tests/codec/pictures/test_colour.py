"""What becomes of pictures that are not 8-bit RGB: kept, converted aloud, or refused; never silently wrong."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from nacre.codec.container import MetaKind
from nacre.codec.pictures import deep
from nacre.codec.pictures.colour import EXIF_PREFIX, ImageWarning, Picture, to_picture, to_pil
from nacre.entropy.errors import ImageError

RGB = np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8)


def quiet(image) -> Picture:
    """The picture, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return to_picture(image)


@pytest.mark.parametrize(
    "same",
    [
        RGB,
        Image.fromarray(RGB),
        torch.from_numpy(RGB).permute(2, 0, 1),
        torch.from_numpy(RGB).permute(2, 0, 1).float() / 255,
        Image.fromarray(RGB).convert("RGBA"),
    ],
    ids=["array", "pil", "uint8 tensor", "float tensor", "opaque alpha"],
)
def test_every_way_to_hand_over_rgb_gives_the_same_samples(same):
    assert np.array_equal(quiet(same).pixels, RGB)


@pytest.mark.parametrize("image", [RGB[..., 0], RGB[..., :1], Image.fromarray(RGB[..., 0])])
def test_grey_stays_grey(image):
    assert np.array_equal(quiet(image).pixels, RGB[..., :1])


def test_black_and_white_becomes_grey():
    image = Image.fromarray(RGB[..., 0]).convert("1")
    assert set(np.unique(quiet(image).pixels)) <= {0, 255}


def test_a_palette_becomes_its_colours():
    image = Image.fromarray(RGB).quantize(8)
    assert np.array_equal(quiet(image).pixels, np.asarray(image.convert("RGB")))


ALPHA = (np.arange(RGB[..., 0].size) * 7 % 256).astype(np.uint8).reshape(RGB.shape[:2])
RGBA = np.dstack([RGB, ALPHA])


@pytest.mark.parametrize(
    "same",
    [RGBA, Image.fromarray(RGBA), torch.from_numpy(RGBA).permute(2, 0, 1)],
    ids=["array", "pil", "tensor"],
)
def test_transparency_is_a_plane_of_its_own(same):
    picture = quiet(same)
    assert np.array_equal(picture.pixels, RGB) and np.array_equal(picture.alpha, ALPHA)
    assert picture.channels == 4
    back = to_pil(picture)
    assert back.mode == "RGBA" and np.array_equal(np.asarray(back), RGBA)


def test_grey_with_transparency_stays_grey():
    for image in (Image.fromarray(RGBA[..., 2:]), RGBA[..., 2:]):
        picture = quiet(image)
        assert picture.channels == 2 and np.array_equal(picture.alpha, ALPHA)
        assert to_pil(picture).mode == "LA"


def test_a_transparent_palette_colour_is_seen():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0] * 256)
    image.info["transparency"] = 0
    picture = quiet(image)
    assert picture.channels == 4 and not picture.alpha.any()


@pytest.mark.parametrize("mode", ["L", "1"])
def test_a_transparent_grey_is_seen(mode):
    image = Image.new(mode, (4, 4), 0)
    image.info["transparency"] = 0
    picture = quiet(image)
    assert picture.channels == 2 and not picture.alpha.any()


def test_more_than_one_frame_is_not_silent():
    out = io.BytesIO()
    frames = [Image.fromarray(RGB + i) for i in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    with pytest.warns(ImageWarning, match="first of 3 frames"):
        to_picture(Image.open(out))


def test_exif_that_cannot_be_parsed_is_carried_and_costs_no_pixels():
    image = Image.fromarray(RGB)
    image.info["exif"] = EXIF_PREFIX + b"garbage!"
    picture = quiet(image)
    assert picture.orientation == 1
    assert picture.metadata[MetaKind.EXIF] == b"garbage!"


def test_16_bit_grey_is_kept():
    wide = np.array([[0, 128, 129, 65535]], np.uint16)
    for image in (Image.fromarray(wide), Image.fromarray(wide.astype(np.int32)), wide):
        picture = quiet(image)
        assert picture.pixels.dtype == np.uint16 and np.array_equal(picture.pixels[..., 0], wide)
    assert to_pil(picture).mode == "I;16" and np.array_equal(np.asarray(to_pil(picture)), wide)


WIDE = np.random.default_rng(1).integers(0, 65536, (9, 11, 4)).astype(np.uint16)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_is_read_whole(format, channels):
    picture = quiet(Image.open(io.BytesIO(deep.write(WIDE[..., :channels], format))))
    assert np.array_equal(picture.pixels, WIDE[..., :3])
    assert (picture.alpha is not None) == (channels == 4)
    if channels == 4:
        assert np.array_equal(picture.alpha, WIDE[..., 3])


def test_16_bit_colour_that_pillow_cannot_hold_is_rounded_aloud():
    with pytest.warns(ImageWarning, match="rounded to 8 bits"):
        image = to_pil(quiet(WIDE[..., :3]))
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image) * 257.0 - WIDE[..., :3]).max() <= 128.5


def test_16_bit_colour_that_only_pillow_reads_is_rounded_aloud(monkeypatch):
    def fail(data):
        raise ImageError("cannot")

    monkeypatch.setattr(deep, "read", fail)
    image = Image.open(io.BytesIO(deep.write(WIDE[..., :3], "PNG")))
    with pytest.warns(ImageWarning, match="16-bit"):
        assert to_picture(image).pixels.dtype == np.uint8


def test_cmyk_is_converted_aloud_and_its_profile_dropped():
    image = Image.fromarray(RGB).convert("CMYK")
    image.info["icc_profile"] = b"not a profile"
    with pytest.warns(ImageWarning, match="CMYK"):
        picture = to_picture(image)
    assert picture.channels == 3
    assert picture.metadata == {}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((0, 4, 3), np.uint8), "no pixels"),
        (np.zeros(4, np.uint8), "shape"),
        (torch.zeros(4, 4), "shape"),
        (torch.zeros(3, 4, 4) + 1.5, r"\[0, 1\]"),
        (torch.full((3, 4, 4), torch.nan), r"\[0, 1\]"),
        (torch.zeros(3, 4, 4, dtype=torch.int32), "int32"),
        (torch.zeros(3, 0, 4), "no pixels"),
        (torch.zeros(3, 4, 4, dtype=torch.complex64), "complex64"),
        (torch.zeros(3, 4, 4, dtype=torch.int8), "int8"),
        (torch.zeros(3, 4, 4).to_sparse(), "layout"),
        (torch.zeros(3, 4, 4, device="meta"), "meta"),
        (torch.float32, "a dtype is not a picture"),
        (np.ma.masked_array(RGB), "masked"),
        (np.asmatrix(RGB[..., 0]), "matrix"),
        (np.zeros((4, 4, 3), np.int16), "int16"),
        (np.zeros((4, 4, 3), np.uint32), "uint32"),
        (np.zeros((4, 4), [("r", "u1"), ("g", "u1")]), "samples of type"),
        (Image.new("F", (4, 4)), "mode F"),
        ("photo.png", "a str is not a picture"),
    ],
)
def test_what_cannot_be_coded_is_refused(image, message):
    with pytest.raises(ImageError, match=message):
        to_picture(image)


class Elsewhere(torch.Tensor):
    """As torchvision makes its pictures."""


class Sheet(np.ndarray):
    """As libraries make arrays that know their units."""


BITS = RGB > 99
SAME = {
    "parameter": torch.nn.Parameter(torch.from_numpy(RGB).permute(2, 0, 1).float() / 255),
    "tensor of a subclass": torch.from_numpy(RGB).permute(2, 0, 1).as_subclass(Elsewhere),
    "tensor of bfloat16": (torch.from_numpy(RGB // 255 * 255).permute(2, 0, 1) / 255).bfloat16(),
    "tensor with a gradient": (torch.from_numpy(RGB).permute(2, 0, 1) / 255).requires_grad_() * 1,
    "array of a subclass": RGB.view(Sheet),
    "picture": Picture(RGB),
    "backwards": RGB[::-1, ::-1],
    "columns first": np.asfortranarray(RGB),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_means_the_same_is_taken_for_the_same(kind):
    wanted = {"tensor of bfloat16": RGB // 255 * 255, "backwards": RGB[::-1, ::-1]}.get(kind, RGB)
    found = quiet(SAME[kind]).pixels
    assert type(found) is np.ndarray and np.array_equal(found, wanted)


def test_a_memory_map_stays_one(tmp_path):
    np.save(tmp_path / "a.npy", RGB)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    found = quiet(mapped).pixels
    assert type(found) is np.ndarray and np.shares_memory(found, mapped)


def test_torch_is_not_imported_to_find_tensors():
    code = (
        "import sys, numpy; from nacre.codec.pictures.colour import to_picture;"
        "to_picture(numpy.zeros((2, 2), 'u1')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_arrays_that_cannot_be_written_to_are_read():
    fixed = RGB.copy()
    fixed.flags.writeable = False
    assert np.array_equal(quiet(fixed).pixels, RGB)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_byte_order_is_no_matter(order):
    found = quiet(WIDE.astype(order))
    assert found.pixels.dtype == np.uint16 and found.pixels.dtype.isnative
    assert np.array_equal(found.pixels, WIDE[..., :3])
    assert np.array_equal(found.alpha, WIDE[..., 3])


def test_truth_is_white():
    for same in (BITS, torch.from_numpy(BITS).permute(2, 0, 1)):
        assert np.array_equal(quiet(same).pixels, BITS.astype(np.uint8) * 255)
    assert np.array_equal(quiet(BITS[..., 0]).pixels, BITS[..., :1].astype(np.uint8) * 255)


def test_tensors_of_16_bits():
    tensor = torch.from_numpy(WIDE[..., :3].copy()).permute(2, 0, 1)
    assert np.array_equal(quiet(tensor).pixels, WIDE[..., :3])


def test_a_cut_picture_is_refused():
    out = io.BytesIO()
    Image.effect_noise((90, 90), 90).save(out, "PNG")
    with pytest.raises(ImageError, match="cannot be read"):
        to_picture(Image.open(io.BytesIO(out.getvalue()[:2000])))


def test_metadata_travels(tmp_path):
    exif, profile = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, xmp=b"<x/>")
    picture = quiet(Image.open(tmp_path / "a.jpg"))
    assert picture.orientation == 6
    assert picture.metadata[MetaKind.ICC] == profile
    assert picture.metadata[MetaKind.XMP] == b"<x/>"
    assert not picture.metadata[MetaKind.EXIF].startswith(EXIF_PREFIX)
    back = to_pil(picture)
    assert back.getexif()[0x010F] == "a camera"
    assert back.info["icc_profile"] == profile


def test_an_orientation_without_exif_is_told_by_a_small_one():
    assert to_pil(Picture(RGB, orientation=8)).getexif()[0x0112] == 8
    assert "exif" not in to_pil(Picture(RGB)).info

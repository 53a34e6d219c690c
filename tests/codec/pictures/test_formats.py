"""Pictures in files of other formats: what is not held there is said, and nothing is wrong."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from nacre.codec.container import MetaKind
from nacre.codec.pictures import formats, ifd, metadata, profiles, turned
from nacre.codec.pictures.colour import ImageWarning, Picture, to_8_bits, to_picture
from nacre.entropy.errors import ImageError, UsageError

RGB = np.random.default_rng(1).integers(0, 256, (24, 36, 3), np.uint8) // 64 * 64
WIDE = RGB.astype(np.uint16) * 257 + 99
ALPHA = (np.arange(24 * 36) % 2 * 255).astype(np.uint8).reshape(24, 36)
GAMMA = profiles.made(profiles.Colours(curve=(1.8,)), 3)
LOSSLESS = ["PNG", "TIFF", "WEBP", "BMP", "PPM"]


def block(orientation: int = 1, **more) -> bytes:
    exif = Image.Exif()
    exif[271], exif[282], exif[283], exif[296] = "a camera", 300.0, 150.0, 2
    if orientation != 1:
        exif[274] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def written(picture: Picture, format: str, *said: str) -> Image.Image:
    """What Pillow opens, after just the warnings that are wanted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = formats.file_bytes(picture, format)
    messages = [str(w.message) for w in caught]
    assert len(messages) == len(said), messages
    assert all(any(text in message for message in messages) for text in said), messages
    return Image.open(io.BytesIO(data))


def read(image: Image.Image) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return to_picture(image)


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_shows_the_same(format, orientation, channels):
    """Whether it holds an orientation, and a profile, or not."""
    pixels, holds = RGB[..., :channels], format in formats.HOLD_METADATA
    icc = profiles.fitted(GAMMA, channels)
    blocks = {MetaKind.ICC: icc, MetaKind.EXIF: block(orientation)}
    said = () if holds else ("EXIF",)
    found = read(written(Picture(pixels, blocks, orientation), format, *said))
    told = turned.shown(found.pixels, found.orientation)
    wanted = turned.shown(pixels if holds else profiles.to_srgb(pixels, icc), orientation)
    assert np.array_equal(told, np.broadcast_to(wanted, told.shape))
    if holds:
        kept = found.metadata[MetaKind.ICC]
        assert profiles.space(kept) == (b"GRAY" if found.channels == 1 else b"RGB ")
        assert profiles.fitted(kept, channels) == icc


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("plane", [None, ALPHA, ALPHA.astype(np.uint16) * 257])
def test_16_bits_carry_all_that_8_bits_do(format, channels, plane):
    icc = profiles.fitted(GAMMA, channels)
    blocks = {MetaKind.ICC: icc, MetaKind.EXIF: block(6), MetaKind.XMP: b"<x/>"}
    image = written(Picture(WIDE[..., :channels], blocks, 6, plane), format)
    assert image.info["xmp"] == b"<x/>" and image.getexif()[271] == "a camera"
    assert [round(dots) for dots in image.info["dpi"]] == [300, 150]
    found = to_picture(image)
    turn = 1 if format == "PNG" else 6  # Pillow turns TIFF
    shown = turned.shown(WIDE[..., :channels], turn)
    assert np.array_equal(found.pixels, np.broadcast_to(shown, found.pixels.shape))
    assert profiles.space(image.info["icc_profile"]) in (b"RGB ", b"GRAY")
    if plane is not None:
        wide = turned.shown(ALPHA.astype(np.uint16) * 257, turn)
        assert np.array_equal(found.alpha, wide)


@pytest.mark.parametrize("format", ["WEBP", "AVIF", "GIF", "JPEG", "BMP", "TGA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_rounded_and_not_clipped(format, channels):
    y, x = np.mgrid[0:24, 0:36]
    smooth = np.dstack([x * 1800, y * 1800, x * 900 + 20000]).astype(np.uint16)[..., :channels]
    with pytest.warns(ImageWarning, match="8 bits"):
        data = formats.file_bytes(Picture(smooth), format)
    found = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    limit = 12 if format == "GIF" else 4
    assert np.abs(found - to_8_bits(smooth)).mean() < limit


def test_16_bit_grey_stays_so_where_it_can():
    for format in ("PNG", "TIFF", "JPEG2000", "PPM"):
        image = written(Picture(WIDE[..., :1]), format)
        assert np.array_equal(read(image).pixels, WIDE[..., :1]), format


def test_transparency_of_gif():
    for pixels in (RGB, RGB[..., :1]):
        image = written(Picture(pixels, alpha=ALPHA), "GIF").convert("RGBA")
        assert np.array_equal(np.asarray(image)[..., 3], ALPHA)
        visible = ALPHA > 0
        wanted = np.broadcast_to(pixels, RGB.shape)
        assert np.array_equal(np.asarray(image)[..., :3][visible], wanted[visible])


def test_partial_transparency_of_gif_is_said():
    plane = np.full((24, 36), 200, np.uint8)
    plane[:5] = 100
    image = written(Picture(RGB[..., :1], alpha=plane), "GIF", "partial transparency")
    assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], np.where(plane < 128, 0, 255))


def test_more_colours_than_gif_holds_are_said():
    many = np.random.default_rng(1).integers(0, 256, (24, 36, 3), np.uint8)
    written(Picture(many), "GIF", "256 colours")


@pytest.mark.parametrize("format", ["JPEG", "BMP", "PPM", "PCX"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_blended_aloud(format, channels):
    image = written(Picture(RGB[..., :channels], alpha=ALPHA), format, "blended onto white")
    assert (np.asarray(image)[ALPHA == 0] > 200).all()


@pytest.mark.parametrize("format", ["TGA", "SGI", "WEBP", "JPEG2000", "DDS"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_is_kept_where_it_can(format, channels):
    image = written(Picture(RGB[..., :channels], alpha=ALPHA), format)
    assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], ALPHA)


def test_metadata_that_a_format_does_not_hold_are_named():
    blocks = {MetaKind.EXIF: block(), MetaKind.XMP: b"<x/>"}
    written(Picture(RGB, blocks), "BMP", "BMP is written without its metadata: EXIF and XMP")
    written(Picture(RGB, {MetaKind.EXIF: b"garbage!"}), "BMP", "without its metadata: EXIF")
    written(Picture(RGB, {MetaKind.EXIF: b"garbage!"}), "TIFF", "cannot be parsed")
    plain = ifd.edited(b"", add={274: 6})
    written(Picture(RGB, {MetaKind.EXIF: plain}, 6), "BMP")
    written(Picture(RGB, {MetaKind.ICC: b"no profile"}), "BMP", "which cannot be applied")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_density_is_written(format):
    added = {ifd.X_RESOLUTION: 300.0, ifd.Y_RESOLUTION: 150.0, ifd.RESOLUTION_UNIT: 2}
    picture = Picture(RGB, {MetaKind.EXIF: ifd.edited(b"", add=added)})
    dpi = written(picture, format).info["dpi"]
    assert [round(float(dots)) for dots in dpi] == [300, 150]
    turned_picture = Picture(RGB, {MetaKind.EXIF: ifd.edited(b"", add={**added, 274: 6})}, 6)
    if format == "BMP":
        dpi = written(turned_picture, format).info["dpi"]
        assert [round(dots) for dots in dpi] == [150, 300]


def test_as_little_as_possible_is_left_out():
    large = ifd.edited(block(6), add={ifd.IPTC: bytes(70000)})
    blocks = {MetaKind.EXIF: large, MetaKind.ICC: GAMMA, MetaKind.XMP: b"<x/>"}
    image = written(Picture(RGB, blocks, 6), "JPEG", "without exif")
    assert image.getexif()[274] == 6 and image.info["icc_profile"] == GAMMA
    assert image.info["xmp"] == b"<x/>"


def test_xmp_of_another_encoding_becomes_text():
    image = written(Picture(RGB, {MetaKind.XMP: "<x>ü</x>".encode("utf-16")}), "PNG")
    assert image.info["xmp"].decode() == "<x>ü</x>"
    written(Picture(RGB, {MetaKind.XMP: b"\xff\xff\xff"}), "PNG", "not text")


def test_early_files_are_written_right():
    """Their EXIF told the layout of a TIFF, and profiles were not looked at."""
    exif = Image.Exif()
    exif[271], exif[256], exif[257], exif[262], exif[273] = "a camera", 5, 6, 0, (8, 9)
    blocks = {MetaKind.EXIF: exif.tobytes().removeprefix(b"Exif\0\0"), MetaKind.ICC: GAMMA}
    for format in LOSSLESS[:3]:
        image = written(Picture(RGB[..., :1], blocks), format)
        assert image.size == (36, 24) and image.getexif()[271] == "a camera"
        assert np.array_equal(np.asarray(image.convert("RGB")), RGB[..., :1].repeat(3, 2))


def test_one_picture_that_cannot_be_written_is_its_own_fault():
    for picture, format in (
        (Picture(np.zeros((1, 20000, 3), np.uint8)), "WEBP"),
        (Picture(RGB), "XBM"),
        (Picture(RGB), "PSD"),
    ):
        with pytest.raises(ImageError) as caught:
            formats.file_bytes(picture, format)
        assert not isinstance(caught.value, UsageError)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_images_of_pillow_are_written_too(mode):
    image = Image.fromarray(WIDE[..., 0]) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    image.info["exif"] = metadata.EXIF_PREFIX + block(6)
    back = Image.open(io.BytesIO(formats.picture_bytes(image, "PNG")))
    assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(image))
    assert ImageOps.exif_transpose(back).size == (24, 36)


@pytest.mark.parametrize("mode", ["P", "1", "CMYK"])
def test_images_of_other_modes_are_written_as_they_look(mode):
    image = Image.fromarray(RGB).convert(mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageWarning)
        back = Image.open(io.BytesIO(formats.picture_bytes(image, "PNG")))
    assert np.array_equal(np.asarray(back.convert("RGB")), np.asarray(image.convert("RGB")))


def test_icons_are_resized_aloud():
    written(Picture(RGB), "ICO", "resized")


def test_srgb_by_another_profile_is_not_converted():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = written(Picture(WIDE[..., :1], {MetaKind.ICC: srgb}), "PPM")
    assert np.array_equal(read(image).pixels, WIDE[..., :1])

"""Picture files: of any kind, cut ones, comments of any length, sizes beyond Pillow's limit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from nacre import codec
from nacre.codec.container import Limits, MetaKind
from nacre.codec.pictures import deep
from nacre.codec.pictures.metadata import ImageWarning
from nacre.codec.pictures.reading import read_picture
from nacre.entropy.errors import ImageError, LimitError


def saved(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels(data: bytes, **options) -> np.ndarray:
    return read_picture(io.BytesIO(data), **options).pixels


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP"])
def test_a_cut_picture_is_refused_with_the_option_that_helps(photo, format):
    data = saved(photo, format)
    data = data[: len(data) * 2 // 3]
    with pytest.raises(codec.CutPictureError, match="cannot be read"):
        pixels(data)
    with pytest.warns(ImageWarning, match="cut or damaged"):
        kept = pixels(data, salvage=True)
    whole = pixels(saved(photo, format))
    assert kept.shape == whole.shape
    assert np.array_equal(kept[:8], whole[:8]) or format == "BMP"  # which begins at the bottom
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_jpeg_without_its_end_marker_loses_nothing_that_shows(photo):
    data = saved(photo, "JPEG")
    with pytest.warns(ImageWarning, match="cut or damaged"):
        kept = pixels(data[:-2], salvage=True)
    assert np.array_equal(kept[:-16], pixels(data)[:-16])


@pytest.mark.filterwarnings("error")
def test_salvage_changes_nothing_for_whole_pictures(photo):
    assert np.array_equal(pixels(saved(photo, "PNG"), salvage=True), np.asarray(photo))


@pytest.mark.parametrize("data", [b"no picture", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_where_nothing_can_be_read_no_hope_is_given(data):
    for salvage in (False, True):
        with pytest.raises(ImageError) as refused:
            pixels(data, salvage=salvage)
        assert not isinstance(refused.value, codec.CutPictureError)


def test_an_empty_file_is_called_empty():
    with pytest.raises(ImageError, match="the file is empty"):
        pixels(b"")


WIDE = np.random.default_rng(2).integers(0, 65536, (9, 11, 4)).astype(np.uint16)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_a_path_and_a_file_give_the_same_picture_with_all_its_bits(tmp_path, format):
    path = tmp_path / "a.picture"
    path.write_bytes(deep.write(WIDE, format))
    with open(path, "rb") as file:
        found = [read_picture(path), read_picture(str(path)), read_picture(file)]
    for picture in found:
        assert np.array_equal(np.dstack([picture.pixels, picture.alpha]), WIDE)


def test_metadata_and_orientation_are_kept(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read_picture(io.BytesIO(saved(photo, "JPEG", exif=exif, xmp=b"<x/>")))
    assert picture.orientation == 6 and picture.metadata[MetaKind.XMP] == b"<x/>"


def test_it_is_what_encode_takes(photo, tiny):
    picture = read_picture(io.BytesIO(saved(photo, "PNG")))
    assert codec.encode(picture, model=tiny) == codec.encode(photo, model=tiny)


def test_arrays_are_mapped_from_paths_and_read_from_files(tmp_path, photo):
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(photo))
    mapped = read_picture(path).pixels
    assert isinstance(mapped.base, np.memmap) or isinstance(mapped.base.base, np.memmap)
    assert np.array_equal(mapped, np.asarray(photo))
    assert np.array_equal(pixels(path.read_bytes()), np.asarray(photo))


def test_arrays_with_objects_in_them_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImageError, match="not an array"):
        read_picture(tmp_path / "a.npy")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_our_limit_on_pixels_holds_and_not_that_of_pillow(photo, monkeypatch, format):
    data = saved(photo.convert("L").convert("RGB"), format)
    for pillows in (5, photo.width * photo.height - 1):  # an error, and a warning
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows)
        assert pixels(data).shape[:2] == (photo.height, photo.width)
    with pytest.raises(LimitError, match="112x96 pixels are over the limit of 99"):
        pixels(data, limits=Limits(pixels=99))


@pytest.mark.filterwarnings("ignore:Image was not the expected size")
def test_a_picture_inside_another_has_the_same_limit(photo, monkeypatch):
    """An icon has the size of its directory, until the PNG in it is read."""
    data = bytearray(saved(photo.resize((64, 64)), "ICO", sizes=[(64, 64)]))
    data[6:8] = bytes([16, 16])
    assert pixels(bytes(data)).shape[:2] == (64, 64)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", None)
    with pytest.raises(LimitError, match="64x64"):
        pixels(bytes(data), limits=Limits(pixels=2000))


def test_arrays_have_the_same_limit(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 10), np.uint8))
    with pytest.raises(LimitError, match="10x20"):
        read_picture(tmp_path / "a.npy", limits=Limits(pixels=199))


def test_files_that_are_no_pictures_are_explained():
    with pytest.raises(ImageError, match="a nacre file already"):
        pixels(b"\x89NCR\r\n\x1a\n...")

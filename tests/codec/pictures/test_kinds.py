"""What files are, by name and by content."""

from __future__ import annotations

import io
import os

import pytest
from PIL import Image

from nacre.codec.pictures import kinds
from nacre.codec.pictures.kinds import Kind
from nacre.datasets.pictures import picture_suffixes

HEIC = b"\0\0\0\x18ftypheic" + bytes(8)
JXL = b"\xff\x0a" + bytes(20)


@pytest.fixture
def judged(tmp_path, photo):
    """The kind of a file of that name and content; of a picture, if there is none."""
    suffixes = {s for s in picture_suffixes() if s not in kinds.PACKAGES}
    judge = kinds.Pictures(suffixes)

    def of(name: str, content: bytes | None = None, format: str = "PNG") -> Kind:
        path = tmp_path / name
        if content is None:
            photo.save(path, format)
        else:
            path.write_bytes(content)
        return judge(str(path))

    return of


@pytest.mark.parametrize("name", ["noname", "a.bak", "a.JPEG_large", "a.png", "A.PNG"])
def test_a_picture_is_taken_whatever_it_is_called(judged, name):
    assert judged(name) == Kind.TAKEN


@pytest.mark.parametrize("format", ["JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_content_says_what_a_name_does_not(judged, format):
    assert judged("noname", format=format) == Kind.TAKEN


def test_a_picture_is_taken_whatever_its_size(judged, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    assert judged("noname") == Kind.TAKEN


@pytest.mark.parametrize("name", ["a.heic", "a.HEIC", "a.CR2", "a.dng", "a.jxl", "a.svg"])
def test_pictures_that_need_more_than_pillow_are_known_by_name(judged, name):
    assert judged(name, b"any") == Kind.UNREADABLE


@pytest.mark.parametrize("content", [HEIC, JXL])
def test_and_by_content(judged, content):
    if set(Image.registered_extensions()) & {".heic", ".jxl"}:
        pytest.skip("a plug-in that reads them is installed")
    assert judged("noname", content) == Kind.UNREADABLE


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "Thumbs.db", ".DS_Store", "desktop.ini", "a.xmp", "a.png.xmp", "._a.png", "a.ncr", "A.AAE"],
)  # fmt: skip
def test_what_lies_beside_pictures_is_not_worth_a_word(judged, name):
    assert judged(name, b"\0\5\26\7") == Kind.BESIDE


def test_hidden_pictures_are_passed_over_aloud(judged):
    assert judged(".a.png") == Kind.HIDDEN


@pytest.mark.parametrize("content", [b"", b"text", b"P6 is a bishop", b"BM", bytes(100)])
def test_what_is_no_picture_is_told(judged, content):
    assert judged("noname", content) == Kind.OTHER
    assert judged("a.mov", content) == Kind.OTHER


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}])
def test_the_preview_in_a_raw_file_is_no_picture(tmp_path, photo, tags):
    photo.save(tmp_path / "raw.tif", "TIFF", tiffinfo=tags)
    with Image.open(tmp_path / "raw.tif") as image:
        assert kinds.is_raw(image)


def test_the_preview_in_a_raw_file_of_canon_is_no_picture(tmp_path, photo):
    photo.save(tmp_path / "plain.tif")
    with Image.open(tmp_path / "plain.tif") as image:
        assert not kinds.is_raw(image)
        image.fp = io.BytesIO(b"II*\0\x10\0\0\0CR\2\0")
        assert kinds.is_raw(image)


def test_what_pillow_does_not_know_is_explained():
    assert "pip install pillow-heif" in kinds.why_not("a.heic", b"")
    assert "pip install pillow-heif" in kinds.why_not("-", HEIC)
    assert "pip install pillow-jxl-plugin" in kinds.why_not("noname", JXL)
    assert "rawpy" in kinds.why_not("a.NEF", b"II*\0")
    assert kinds.why_not("a.bin", b"?") == "not a picture that Pillow can read"
    assert kinds.why_not("a.bin", b"\x89NCR\r\n\x1a\n...") == "a nacre file already"


def test_every_package_is_named_by_a_suffix_of_its_own():
    assert not kinds.RAW & kinds.NO_PACKAGE and not kinds.BESIDE & kinds.RAW
    assert all(s == s.lower() and s[0] == "." for s in kinds.RAW | kinds.NO_PACKAGE | kinds.BESIDE)
    assert os.path.splitext("a.CR2")[1].lower() in kinds.RAW

"""The size of WebP files is found without Pillow."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from nacre.codec import lossless
from nacre.codec.container import Limits
from nacre.codec.pictures import webp
from nacre.codec.pictures.reading import read_picture
from nacre.entropy.errors import CorruptStream, LimitError


def webp_file(**options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 40)).save(out, "WEBP", **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"x"}], ids=str)
def test_every_kind_of_file_has_its_size(options):
    assert webp.size(webp_file(**options)) == (30, 40)


@pytest.mark.parametrize(
    "data", [b"", b"RIFF....WEBPVP8 ", b"x" * 40, b"RIFF....WEBPnone" + bytes(20)]
)
def test_what_is_no_webp_has_none(data):
    assert webp.size(data) is None


def test_another_size_is_refused_before_pillow_sees_it(monkeypatch):
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(CorruptStream, match=r"\(30, 40\), not \(30, 41\)"):
        lossless.read_picture(webp_file(lossless=True), "WEBP", "RGB", (30, 41))
    with pytest.raises(LimitError, match="30x40"):
        read_picture(io.BytesIO(webp_file()), limits=Limits(pixels=1199))

"""Transparency comes back to the last bit, and a plane that is none is refused."""

from __future__ import annotations

import dataclasses
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import alpha
from nacre.codec.container import Alpha, Stream
from nacre.entropy.errors import CorruptStream, UnsupportedStream


def plane(photo):
    return np.asarray(photo.convert("L")) // 3


@pytest.fixture
def image(photo):
    image = photo.copy()
    image.putalpha(Image.fromarray(plane(photo)))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_it_is_kept_without_loss(image, photo, tiny, mode):
    back = codec.decode(codec.encode(image.convert(mode), quality=5, model=tiny), model=tiny)
    assert back.mode == mode
    assert np.array_equal(np.asarray(back.getchannel("A")), plane(photo))


def test_colours_are_those_of_the_opaque_picture(image, photo, tiny):
    back = codec.decode(codec.encode(image, model=tiny), model=tiny)
    opaque = codec.decode(codec.encode(photo, model=tiny), model=tiny)
    assert back.convert("RGB").tobytes() == opaque.tobytes()


def test_what_is_opaque_all_over_costs_nothing(photo, tiny):
    assert codec.encode(photo.convert("RGBA"), model=tiny) == codec.encode(photo, model=tiny)


def test_a_region_has_its_part(image, photo, tiny):
    data = codec.encode(image, model=tiny)
    part = codec.decode(data, model=tiny, region=codec.Region(10, 20, 30, 40))
    assert np.array_equal(np.asarray(part.getchannel("A")), plane(photo)[20:60, 10:40])


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def claiming(png: bytes, width: int, height: int) -> bytes:
    """The PNG with other sides in its head."""
    head = png[12:16] + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "nothing is there"),
        (b"\1no png", "PNG inside the file"),
        (b"\2no webp", "WEBP inside the file"),
        (b"\x09", "coder 9 is not known"),
        (b"\1" + png(Image.new("L", (111, 96))), "111, 96"),
        (b"\1" + png(Image.new("RGB", (112, 96))), "RGB"),
        (b"\1" + claiming(png(Image.new("L", (9, 9))), 30000, 30000), "30000x30000 pixels"),
        (b"\1" + png(Image.new("L", (112, 96)))[:-30], "PNG inside the file"),
        (b"\3\xff\0\0\0", "longer than the data"),
    ],
)
def test_another_plane_is_refused(data, said):
    with pytest.raises((CorruptStream, UnsupportedStream), match=said):
        alpha.from_bytes(data, 112, 96)


def test_a_plane_that_was_exchanged_is_noticed(image, tiny):
    stream = Stream.from_bytes(codec.encode(image, model=tiny))
    other = dataclasses.replace(
        stream, alpha=Alpha(alpha.to_bytes(np.full((96, 112), 9, np.uint8)))
    )
    with pytest.raises(CorruptStream, match="checksum"):
        codec.decode(other.to_bytes(), model=tiny)

"""Tags are dropped and put in, and what the others point at stays where it is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nacre.codec.pictures import ifd


def block(endian: str = "<") -> bytes:
    """EXIF of a camera, with tags of a TIFF file among its own and a directory below."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F], exif[0x0112], exif[0x0100], exif[0x0101] = "a camera", 6, 640, 480
    exif[0x0111] = (1, 2, 3, 4)
    exif.get_ifd(ifd.EXIF_IFD)[33434] = 0.01
    exif.get_ifd(ifd.EXIF_IFD)[37500] = b"the maker's notes"
    exif.get_ifd(ifd.GPS_IFD)[1] = "N"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def read(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    return exif


def place_of(data: bytes, text: bytes) -> int:
    return data.index(text)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_structure_is_dropped_and_the_rest_keeps_its_place(endian):
    data = block(endian)
    found = ifd.edited(data, ifd.STRUCTURE)
    tags = read(found)
    assert set(tags) == {0x010F, 0x0112, ifd.EXIF_IFD, ifd.GPS_IFD}
    assert tags[0x010F] == "a camera" and tags[0x0112] == 6
    assert tags.get_ifd(ifd.EXIF_IFD)[37500] == b"the maker's notes"
    assert place_of(found, b"the maker's notes") == place_of(data, b"the maker's notes")
    assert len(found) == len(data)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_tags_are_put_in(endian):
    data = block(endian)
    added = {ifd.COPYRIGHT: ifd.Text("somebody"), ifd.X_RESOLUTION: 72.5, 40000: (1, 2, 70000)}
    tags = read(ifd.edited(data, (), added | {40001: b"bytes of any length"}))
    assert tags[ifd.COPYRIGHT] == "somebody" and float(tags[ifd.X_RESOLUTION]) == 72.5
    assert tags[40000] == (1, 2, 70000) and tags[40001] == b"bytes of any length"
    assert tags[0x010F] == "a camera" and float(tags.get_ifd(ifd.EXIF_IFD)[33434]) == 0.01


def test_what_needs_no_change_is_not_changed():
    assert ifd.edited(block(), {ifd.XMP}) == block()
    assert ifd.edited(b"garbage!", ifd.STRUCTURE, {274: 6}) == b"garbage!"


def test_a_block_of_its_own_begins_empty():
    assert read(ifd.edited(b"", add={274: 6}))[274] == 6


@pytest.mark.parametrize("endian", ["<", ">"])
def test_compact_leaves_nothing_behind(endian):
    data = ifd.edited(block(endian), (), {ifd.ICC: bytes(5000)})
    found = ifd.compact(data, ifd.STRUCTURE)
    tags = read(found)
    assert len(found) < 400 and set(tags) == {0x010F, 0x0112, ifd.EXIF_IFD, ifd.GPS_IFD}
    assert tags.get_ifd(ifd.EXIF_IFD)[37500] == b"the maker's notes"
    assert tags.get_ifd(ifd.GPS_IFD)[1] == "N"


def test_a_block_of_bigtiff_becomes_a_plain_one():
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "TIFF", big_tiff=True, tiffinfo={271: "a camera"})
    found = ifd.compact(out.getvalue(), ifd.STRUCTURE)
    assert found[2] == 42 and read(found)[271] == "a camera"


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damaged_blocks_break_nothing(tail, cut):
    data = block()
    for damaged in (data[:cut] + tail + data[cut + len(tail) :], data[:cut], tail):
        ifd.fields(damaged)
        ifd.edited(damaged, ifd.STRUCTURE, {274: 6})


def test_values_that_claim_more_than_there_is_are_not_copied():
    entries = b"".join(
        (1000 + i).to_bytes(2, "little") + b"\7\0\0\x40\0\0\0\0\0\0" for i in range(1000)
    )
    data = b"II*\0\x08\0\0\0" + (1000).to_bytes(2, "little") + entries + bytes(8000)
    assert sum(len(field.data) for field in ifd.fields(data).values()) <= len(data)

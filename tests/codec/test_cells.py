"""Cells and transparency put together wrongly behind right checksums: what refuses them is their own reader."""

from __future__ import annotations

import io
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec import checksums, lossless
from nacre.codec.container import Alpha, Cells, Coding, End, Head, Stream, pack_modes
from nacre.entropy.errors import CorruptStream, UnsupportedStream

SIZE = 64  # of the picture, a side: 2 by 2 cells


def saved(format: str, width: int, height: int, mode: str = "RGB", **options) -> bytes:
    out = io.BytesIO()
    colour = {"RGB": (200, 30, 90), "L": 77}[mode]
    Image.new(mode, (width, height), colour).save(out, format, **options)
    return out.getvalue()


def png(width: int = SIZE, height: int = SIZE, mode: str = "RGB") -> bytes:
    return b"\1" + saved("PNG", width, height, mode)


def webp(width: int = SIZE, height: int = SIZE) -> bytes:
    return b"\2" + saved("WEBP", width, height, lossless=True)


def jpeg(width: int = 2 * SIZE, height: int = SIZE // 2, mode: str = "RGB") -> bytes:
    options = {"subsampling": 0} if mode == "RGB" else {}
    return saved("JPEG", width, height, mode, **options)


def halves(*samples: bytes) -> bytes:
    return b"\3" + len(samples[0]).to_bytes(4, "little") + b"".join(samples)


def cells(**fields) -> Cells:
    whole = {"tile": 0, "side_log2": 5, "form": 1, "map": b"", "exact": png(), "transformed": b""}
    return Cells(**(whole | fields))


def file_of(found: Cells, alpha: bytes | None = None, **fields) -> bytes:
    """A file of one tile, whose checksums are right."""
    plane = None if alpha is None else Alpha(alpha)
    head = Head(SIZE, SIZE, 100, b"", tile_log2=6, coding=Coding.CELLS, **fields)
    end = End(checksums.file_checksum(head, plane, [zlib.crc32(found.to_bytes())]))
    return Stream(head, (), (), end, plane, (found,)).to_bytes()


MIXED = pack_modes(b"\1\2\2\2")
WHOLE = {
    "png": file_of(cells()),
    "webp": file_of(cells(exact=webp())),
    "jpeg": file_of(cells(form=2, exact=b"", transformed=jpeg())),
    "grey": file_of(cells(exact=png(mode="L")), channels=1),
    "grey-webp": file_of(cells(exact=webp()), channels=1),
    "grey-jpeg": file_of(cells(form=2, exact=b"", transformed=jpeg(mode="L")), channels=1),
    "mixed": file_of(cells(form=0, map=MIXED, exact=png(32, 32), transformed=jpeg(96, 32))),
    "a-map-of-one-mode": file_of(cells(form=0, map=pack_modes(b"\1" * 4))),
    "a-cell-over-the-tile": file_of(cells(side_log2=10)),
    "a-jpeg-cell-over-the-tile": file_of(
        cells(side_log2=10, form=2, exact=b"", transformed=jpeg(1024, 1024))
    ),
    "sixteen-bits": file_of(cells(exact=halves(png(), webp())), bit_depth=16),
    "transparent": file_of(cells(), png(mode="L"), channels=4),
    "sixteen-transparent-of-eight": file_of(
        cells(), halves(png(mode="L"), png(mode="L")), channels=4
    ),
}  # fmt: skip

FAULTS = {
    "map-too-short": (cells(form=0, map=pack_modes(b"\1" * 3)), "not one of 4 cells"),
    "map-too-long": (cells(form=0, map=pack_modes(b"\1" * 5)), "not one of 4 cells"),
    "map-that-explodes": (cells(form=0, map=pack_modes(b"\1" * 10**7)), "not one of 4 cells"),
    "map-with-bytes-behind": (cells(form=0, map=pack_modes(b"\1" * 4) + b"x"), "not one of 4"),
    "map-that-does-not-end": (cells(form=0, map=pack_modes(b"\1" * 4)[:-1]), "not one of 4"),
    "map-of-no-bytes": (cells(form=0), "not one of 4 cells"),
    "map-of-noise": (cells(form=0, map=b"noise"), "map of cells"),
    "map-of-no-mode": (cells(form=0, map=pack_modes(b"\3" * 4)), "mode 3"),
    "map-of-a-latent": (cells(form=0, map=pack_modes(b"\1\1\1\0")), "comes from a latent"),
    "exact-missing": (cells(exact=b""), "not those of its map"),
    "exact-unasked": (cells(form=2, transformed=jpeg()), "not those of its map"),
    "exact-of-another-size": (cells(exact=png(63, 64)), "PNG inside"),
    "exact-of-another-webp-size": (cells(exact=webp(63, 64)), "WEBP inside"),
    "exact-of-the-tile-for-a-part": (
        cells(form=0, map=MIXED, transformed=jpeg(96, 32)), "PNG inside"
    ),
    "exact-of-a-bomb": (cells(exact=webp(4000, 4000)), "WEBP inside"),
    "exact-cut": (cells(exact=webp()[:-9]), "WEBP inside"),
    "exact-of-grey": (cells(exact=png(mode="L")), "PNG inside"),
    "exact-that-is-a-png": (cells(exact=b"\2" + png()[1:]), "WEBP inside"),
    "exact-that-is-a-jpeg": (cells(exact=b"\1" + jpeg(SIZE, SIZE)), "PNG inside"),
    "exact-of-16-bits": (cells(exact=halves(png(), png())), "does not give 8 bits"),
    "transformed-missing": (cells(form=2, exact=b""), "not those of its map"),
    "transformed-unasked": (cells(transformed=jpeg()), "not those of its map"),
    "transformed-of-another-size": (
        cells(form=2, exact=b"", transformed=jpeg(64, 64)), "JPEG inside"
    ),
    "transformed-of-grey": (cells(form=2, exact=b"", transformed=jpeg(mode="L")), "JPEG inside"),
    "transformed-cut": (cells(form=2, exact=b"", transformed=jpeg()[:-60]), "JPEG inside"),
    "transformed-that-is-a-png": (
        cells(form=2, exact=b"", transformed=png(128, 32)[1:]), "JPEG inside"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read(name):
    assert codec.decode(WHOLE[name]).size == (SIZE, SIZE)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_by_its_reader(name):
    found, message = FAULTS[name]
    data, start = file_of(found), time.perf_counter()
    with pytest.raises(CorruptStream, match=message):
        codec.decode(data)
    with pytest.raises(CorruptStream, match=message):
        codec.Opened(data).parse()
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (b"", CorruptStream, "nothing is there"),
        (b"\1x", CorruptStream, "PNG inside"),
        (b"\4abc", UnsupportedStream, "coder 4"),
        (png(), CorruptStream, "PNG inside"),
        (png(63, 64, "L"), CorruptStream, "PNG inside"),
        (halves(png(mode="L")), CorruptStream, "nothing is there"),
        (halves(png(mode="L"), halves(png(mode="L"), png(mode="L"))), CorruptStream, "coder 3"),
        (b"\3\xff\xff\xff\xff" + png(mode="L"), CorruptStream, "longer than"),
        (b"\3\0", CorruptStream, "longer than"),
    ],
)
def test_transparency_that_is_none_is_refused(samples, error, message):
    with pytest.raises(error, match=message):
        codec.decode(file_of(cells(), samples, channels=4))


def test_cells_of_no_coder_are_unsupported():
    with pytest.raises(UnsupportedStream, match="coder 9"):
        codec.decode(file_of(cells(exact=b"\x09abc")))


def test_eight_bits_and_jpegs_are_refused_in_pictures_of_sixteen():
    with pytest.raises(CorruptStream, match="does not give 16 bits"):
        codec.decode(file_of(cells(), bit_depth=16))
    with pytest.raises(CorruptStream, match="transformed cells in a picture of 16 bits"):
        codec.decode(file_of(cells(form=2, exact=b"", transformed=jpeg()), bit_depth=16))


def test_halves_are_put_together():
    """FORMAT.md, section 7: 256 a + ((a + b) mod 256)."""
    high, low = (
        np.array([[[v]] for v in values], np.uint8) for values in ((0, 1, 255, 7), (5, 255, 3, 0))
    )
    made = []
    for half in (high, low - high):
        out = io.BytesIO()
        Image.fromarray(half[..., 0]).save(out, "PNG")
        made.append(b"\1" + out.getvalue())
    found = lossless.from_bytes(halves(*made), (4, 1, 1), 16)
    assert found.flatten().tolist() == [5, 511, 65283, 1792]

"""What counts as a photograph, copies of one, and which tiles are good."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nacre.tools.collection.photographs import (
    TILE,
    NotAPhotograph,
    Signatures,
    cut,
    judge,
    look,
    shrink_factor,
    signature,
)


@pytest.fixture(scope="module")
def picture(texture) -> Image.Image:
    return texture(1400, 1000)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda image: image.resize((900, 640)), {}, "small"),
        (lambda image: image.resize((2600, 800)), {}, "long"),
        (lambda image: image, {"quality": 1}, "few bits a pixel"),
        (lambda image: image.convert("CMYK"), {"quality": 92}, "not RGB"),
        (lambda image: image.quantize(8), {"kind": "PNG"}, "few bits|palette"),
        (lambda image: image.convert("RGBA").rotate(3), {"kind": "PNG"}, "transparent"),
    ],
)
def test_what_is_no_photograph_is_refused_with_the_reason(picture, coded, change, options, reason):
    with pytest.raises(NotAPhotograph, match=reason):
        look(coded(change(picture), **options))


def test_bytes_that_are_no_picture_are_refused(texture, coded):
    with pytest.raises(NotAPhotograph, match="unreadable"):
        look(b"no picture")
    with pytest.raises(NotAPhotograph, match="unreadable"):
        cut(coded(texture(1000, 800), quality=90)[:50_000], "a", 4)


def test_a_recoded_copy_and_a_crop_of_the_sides_are_near_and_another_picture_is_not(
    picture, texture, coded
):
    known = Signatures()
    for seed in range(300, 420):
        known.add(signature(texture(60, 40, seed)))
    assert not known.has_near(signature(picture))
    known.add(look(coded(picture, quality=90))[0])
    assert known.has_near(look(coded(picture.resize((1120, 800)), quality=70))[0])
    assert known.has_near(signature(picture.crop((150, 0, 1250, 1000))))
    assert not known.has_near(signature(texture(1400, 1000, seed=1)))


def test_tiles_are_cut_upright_and_the_same_each_time(texture, coded):
    image = texture(1800, 1500, seed=2)
    data = coded(image, quality=95, exif=exif_turned())
    tiles = cut(data, "some content", 4)
    assert 1 <= len(tiles) <= 5
    assert all(tile.shape == (TILE, TILE, 3) and tile.dtype == np.uint8 for tile in tiles)
    assert all(
        np.array_equal(a, b) for a, b in zip(tiles, cut(data, "some content", 4), strict=True)
    )


def exif_turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def test_a_blurred_and_an_enlarged_picture_give_no_tile(texture, coded):
    for seen in (40, 300):  # pixels of detail
        soft = texture(seen, seen, seed=3).resize((1700, 1700), Image.Resampling.BICUBIC)
        with pytest.raises(NotAPhotograph, match="blurred"):
            cut(coded(soft, quality=95), "soft", 4)


def test_flat_and_clipped_tiles_are_not_good(texture):
    sharp = np.asarray(texture(TILE, TILE))
    assert judge(sharp).is_good
    half = sharp.copy()
    half[: TILE // 2 + 20] = 255
    assert not judge(half).is_good
    half[: TILE // 2 + 20] = 128
    assert not judge(half).is_good


def test_shrinking_leaves_one_tile_and_is_mild_only_for_small_well_coded_pictures():
    random = np.random.default_rng(0)
    for short in (740, 1000, 1599, 3000, 6000):
        for bits in (0.5, 4.0):
            factor = shrink_factor((short, short + 100), bits, random)
            assert short * factor >= 514 - 1
            assert factor <= (0.8 if short < 1600 and bits > 1.5 else max(0.66, 515 / short))
    assert shrink_factor((6000, 8000), 1.0, random) * 6000 <= 2400 + 1

"""Every codec keeps the promises of the interface; options reach the encoders."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs import sources
from nacre.tools.evaluate.codecs.base import CodecFailed, CodecMissing
from nacre.tools.evaluate.codecs.registry import CODECS, create
from nacre.tools.evaluate.metrics import psnr_db

EXTRAS = {"jxl": "pillow_jxl", "heic": "pillow_heif"}
HERE = ["nacre", "jpeg", "webp", "jpeg2000", "avif", "jxl", "heic", "x264", "x265", "svtav1"]


def made(name):
    try:
        return create(name)
    except CodecMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", HERE)
def test_more_bits_bring_a_better_picture_of_the_same_size(name, photo):
    image = photo.crop((0, 0, 101, 67))  # odd sides
    codec = made(name)
    files = [codec.encode(image, q) for q in (codec.qualities[0], codec.qualities[-1])]
    decoded = [codec.decode(data, image.size) for data in files]
    assert [(d.size, d.mode) for d in decoded] == [((101, 67), "RGB")] * 2
    low, high = (psnr_db(np.asarray(image), np.asarray(d)) for d in decoded)
    assert len(files[0]) < len(files[1]) and low < high and high > 38
    assert codec.label and "Q" in codec.settings and codec.version


@pytest.mark.parametrize("name", HERE)
def test_a_second_file_is_the_same(name, photo):
    codec = made(name)
    quality = codec.qualities[len(codec.qualities) // 2]
    assert codec.encode(photo, quality) == codec.encode(photo, quality)


@pytest.mark.parametrize("name", [n for n in HERE if n != "jpeg2000"])
def test_whole_qualities_are_wanted(name, photo):
    with pytest.raises(UsageError, match="whole number"):
        made(name).encode(photo, 30.5)


def sampling(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).layer[0][1:3]


def test_jpeg_keeps_all_of_its_chroma_unless_told(photo):
    assert sampling(create("jpeg").encode(photo, 80)) == (1, 1)
    assert sampling(create("jpeg@subsampling=420").encode(photo, 80)) == (2, 2)
    assert "subsampling=2" in create("jpeg@subsampling=420").settings


def test_options_reach_the_encoder(photo):
    assert create("avif@tune=ssim").encode(photo, 50) != create("avif").encode(photo, 50)
    assert create("webp@method=0").encode(photo, 50) != create("webp").encode(photo, 50)
    assert "'tune': 'ssim'" in create("avif@tune=ssim,speed=8").settings
    assert "speed=8" in create("avif@tune=ssim,speed=8").settings


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gif", "one of nacre, jpeg"),
        ("jpeg@q=3", "no option q; there is subsampling"),
        ("jpeg@subsampling", "not OPTION=VALUE"),
        ("jpeg@subsampling=411", "not one of 444"),
        ("webp@method=best", "not a whole number"),
        ("webp:6", "no option model"),
    ],
)
def test_names_that_mean_no_codec_are_refused(name, said):
    with pytest.raises(UsageError, match=said):
        create(name)


@pytest.mark.parametrize("name", EXTRAS)
def test_a_plugin_that_is_not_there_is_said_with_how_to_get_it(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, EXTRAS[name], None)
    with pytest.raises(CodecMissing, match="pip install pillow-"):
        create(name)


def test_a_pillow_without_a_format_is_said(monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(CodecMissing, match="without AVIF"):
        create("avif")


def test_a_file_of_another_format_is_not_taken(photo):
    with pytest.raises(CodecFailed, match="JPEG, not WEBP"):
        create("webp").decode(create("jpeg").encode(photo, 50), photo.size)


def test_our_own_codec_tells_the_seconds_of_entropy_coding(photo):
    codec = create("nacre")
    data = codec.encode(photo, 50)
    assert 0 < codec.stages().entropy < 60
    codec.decode(data, photo.size)
    assert 0 < codec.stages().entropy < 60


def test_our_own_version_says_everything_that_decides_a_file(tiny, monkeypatch):
    first = create("nacre").version
    assert all(word in first for word in ("nacre ", "code ", "weights ", "torch "))
    assert create(f"nacre:{tiny}").version.partition("weights")[2] != first.partition("weights")[2]
    sources.code_digest.cache_clear()
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"another encoder")
    assert sources.code_digest() not in first
    sources.code_digest.cache_clear()


def test_a_weights_file_is_a_model(tiny, photo):
    codec = create(f"nacre:{tiny}")
    assert codec.label == "tiny"
    assert codec.decode(codec.encode(photo, 50), photo.size).size == photo.size


def test_every_codec_is_known_by_its_own_key():
    assert [codec.key for codec in CODECS.values()] == list(CODECS)

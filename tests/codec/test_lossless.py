"""Without loss every sample comes back, of whatever kind the picture is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import nacre.codec.pillow_plugin  # noqa: F401
from nacre import codec
from nacre.codec import lossless
from nacre.entropy.errors import CorruptStream, UsageError

RNG = np.random.default_rng(11)


def samples(dtype, channels: int, height: int = 45, width: int = 61) -> np.ndarray:
    """Smooth in one half, noise in the other."""
    peak = np.iinfo(dtype).max
    out = np.linspace(0, peak, height * width * channels).reshape(height, width, channels)
    out[:, width // 2 :] = RNG.integers(0, peak, (height, width - width // 2, channels))
    return out.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_sample_comes_back(dtype, channels):
    pixels = samples(dtype, channels)
    picture = codec.Opened(codec.encode(pixels, lossless=True)).picture()
    planes = [picture.pixels] + ([] if picture.alpha is None else [picture.alpha[..., None]])
    assert np.array_equal(np.concatenate(planes, 2), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_every_mode(photo, mode):
    if mode == "I;16":
        image = Image.fromarray(samples(np.uint16, 1)[..., 0])
    else:
        image = photo.convert("RGBA") if mode in ("LA", "RGBA") else photo
        if mode in ("LA", "RGBA"):
            image.putalpha(photo.convert("L"))
        image = image.convert(mode)
    back = codec.decode(codec.encode(image, quality="lossless"))
    shown = image.convert({"1": "L", "P": "RGB"}.get(mode, mode)) if mode != "I;16" else image
    assert back.mode == shown.mode and np.array_equal(np.asarray(back), np.asarray(shown))


def test_colours_under_full_transparency_come_back(photo):
    image = photo.convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (96, 56))))
    back = codec.decode(codec.encode(image, lossless=True))
    assert back.tobytes() == image.tobytes()


def test_it_takes_no_more_than_64_bytes_over_webp(photo):
    out = io.BytesIO()
    photo.save(out, "WEBP", lossless=True)
    assert len(codec.encode(photo, lossless=True)) <= len(out.getvalue()) + 64


def test_several_tiles_and_a_region(photo, monkeypatch):
    monkeypatch.setattr("nacre.codec.encoder.LOSSLESS_TILE_LOG2", 6)
    data = codec.encode(photo, lossless=True)
    assert len(codec.info(data).chunks) == 6 and codec.info(data).tiles == 4
    assert codec.decode(data).tobytes() == photo.tobytes()
    part = codec.decode(data, region=codec.Region(50, 40, 30, 50))
    assert part.tobytes() == photo.crop((50, 40, 80, 90)).tobytes()


def test_no_model_is_needed(photo, monkeypatch):
    def refused(*_):
        raise AssertionError("a model is looked for")

    data = codec.encode(photo, lossless=True)
    monkeypatch.setattr("nacre.models.zoo.load_model", refused)
    assert codec.decode(data).tobytes() == photo.tobytes()
    assert codec.encode(photo, lossless=True) == data


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": "lossless"}])
def test_the_plugin_writes_it(photo, tmp_path, options):
    photo.save(tmp_path / "a.ncr", **options)
    assert Image.open(tmp_path / "a.ncr").tobytes() == photo.tobytes()


def test_metadata_and_orientation_are_kept(photo):
    image, exif = photo.copy(), Image.Exif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    assert codec.decode(codec.encode(image, lossless=True)).getexif()[0x0112] == 6


@pytest.mark.parametrize("quality", ["best", "", None, 0, 101, True, 5.0])
def test_qualities_that_are_none(photo, quality, tiny):
    with pytest.raises(UsageError, match='or "lossless" wanted'):
        codec.encode(photo, quality=quality, model=tiny)


@pytest.mark.parametrize("quality", [np.int64(40), np.uint8(40)])
def test_whole_numbers_of_any_kind_are_qualities(photo, quality, tiny):
    assert codec.encode(photo, quality=quality, model=tiny) == codec.encode(
        photo, quality=40, model=tiny
    )


def test_every_length_of_cut_samples_is_refused():
    pixels = samples(np.uint16, 3, 9, 8)
    data = lossless.to_bytes(pixels)
    for size in range(len(data)):
        with pytest.raises(CorruptStream):
            lossless.from_bytes(data[:size], pixels.shape, 16)


def test_sides_beyond_those_of_webp_are_kept_by_png():
    samples = np.zeros((2, lossless.LONGEST_WEBP_SIDE + 1, 1), np.uint8)
    for care in range(lossless.MOST_CARE + 1):
        data = lossless.to_bytes(samples, care)
        assert data[0] == lossless.Coder.PNG
        assert np.array_equal(lossless.from_bytes(data, samples.shape, 8), samples)

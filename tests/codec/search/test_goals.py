import math

import numpy as np
import pytest
from PIL import Image

from nacre import codec
from nacre.codec.encoder import Encoder
from nacre.codec.search import goals
from nacre.entropy.errors import UsageError

GAP_DB = 0.2  # between files of so small a picture, whose symbols are few


def psnr_db(image, data) -> float:
    error = np.asarray(image, float) - np.asarray(codec.decode(data), float)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


@pytest.mark.parametrize("size", [400, 900, 2500])
def test_a_size_is_met_and_never_passed(photo, size):
    found = codec.encode_to(photo, size=size)
    assert 0.98 * size <= len(found.data) <= size
    assert found.probes <= goals.MOST_PROBES
    assert codec.info(found.data).quality == found.quality


def test_bits_per_pixel_are_a_size(photo):
    bpp = 8 * 900 / (photo.width * photo.height)
    assert codec.encode_to(photo, bpp=bpp).data == codec.encode_to(photo, size=900).data


@pytest.mark.parametrize("wanted", [29, 36.5])
def test_a_psnr_is_reached_and_little_more(photo, wanted):
    found = codec.encode_to(photo, psnr=wanted)
    assert wanted - 0.001 <= psnr_db(photo, found.data) <= wanted + GAP_DB


def test_an_ssim_is_reached(photo):
    assert goals._ssim_db(Encoder(photo), codec.encode_to(photo, ssim=0.9).data) >= 10 - 1e-6


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"size": 20}, r"20 bytes cannot be had: quality 1 gives \d+ bytes"),
        ({"bpp": 1e-9}, "bpp cannot be had: quality 1 gives"),
        ({"psnr": 70}, r"70\.00 dB cannot be had: quality 100 gives \d\d\.\d\d dB"),
        ({"ssim": 0.99999}, r"SSIM of 1\.0000 cannot be had: quality 100 gives an SSIM of 0\.\d+"),
    ],
)
def test_what_cannot_be_had_is_said_with_what_can(photo, wanted, message):
    with pytest.raises(codec.GoalError, match=message):
        codec.encode_to(photo, **wanted)


def test_more_bytes_than_the_best_takes_are_said(photo):
    with pytest.warns(UserWarning, match="more than the best quality takes"):
        found = codec.encode_to(photo, size=10**6)
    assert found.quality == 100


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"size": 10, "psnr": 30},
        {"size": 0},
        {"bpp": -1},
        {"psnr": math.inf},
        {"ssim": 1},
        {"size": math.nan},
    ],
)
def test_a_goal_that_is_none_is_refused(photo, wanted):
    with pytest.raises(UsageError):
        codec.encode_to(photo, **wanted)


def test_ssim_of_what_is_smaller_than_its_window_is_refused():
    with pytest.raises(codec.GoalError, match="11 pixels"):
        codec.encode_to(np.zeros((10, 50, 3), np.uint8), ssim=0.9)


def test_without_a_search_the_best_quality_under_a_size_is_found(photo):
    found = codec.encode_to(photo, size=900, effort=0)
    above = codec.encode(photo, quality=found.quality + 1, effort=0)
    assert len(found.data) <= 900 < len(above)
    assert found.data == codec.encode(photo, quality=found.quality, effort=0)


class Scale:
    """An encoder whose files are as long as a function of quality says."""

    width = height = 100
    fixed_bytes = 0

    def __init__(self, length):
        self.length, self.asked = length, []

    def encode(self, quality, effort, part, trade):
        at = quality + math.log(trade) / math.log(goals.TRADE)
        self.asked.append((quality, trade))
        return bytes(self.fixed_bytes + int(self.length(quality, at)))


@pytest.mark.parametrize(
    "length",
    [
        lambda q, at: 1000 * math.exp(0.035 * at),
        lambda q, at: 500 * math.exp(0.015 * at + 0.0004 * at**2),
        lambda q, at: 500 * math.exp(0.09 * at - 0.0004 * at**2),
        lambda q, at: 1000 * math.exp(0.05 * q + 0.01 * (at - q)),  # gaps between qualities
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.31, 0.5, 0.77, 0.9])
def test_few_probes_are_enough_on_any_scale(length, share):
    encoder = Scale(length)
    size = length(1, 1) ** (1 - share) * length(100, 100) ** share
    found = goals.arrive(encoder, goals.size_goal(encoder, size=size))
    assert len(encoder.asked) == found.probes <= goals.MOST_PROBES
    assert 0.95 * size < len(found.data) <= size


def test_without_a_search_every_size_gets_its_best_quality():
    lengths = [int(1000 * math.exp(0.035 * q)) for q in range(101)]
    for quality in range(1, 100):
        for size in (lengths[quality] + 1, lengths[quality + 1] - 1):
            encoder = Scale(lambda q, at: lengths[q])
            found = goals.arrive(encoder, goals.size_goal(encoder, size=size), effort=0)
            assert found.quality == quality


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("effort", [0, 1, 5])
def test_bytes_that_no_quality_changes_do_not_mislead(share, effort):
    encoder = Scale(lambda q, at: 4000 * math.exp(0.035 * at))
    encoder.fixed_bytes = 100_000
    size = 100_000 + 4000 * math.exp(3.5 * share)
    found = goals.arrive(encoder, goals.size_goal(encoder, size=size), effort)
    assert 0.97 * size < len(found.data) <= size


def test_metadata_that_is_larger_than_the_size_is_said(photo):
    image = photo.copy()
    image.info["xmp"] = b"<x/>" * 500
    with pytest.raises(codec.GoalError, match="2000 are metadata"):
        codec.encode_to(image, size=1500)
    assert len(codec.encode_to(image, size=3000).data) <= 3000


@pytest.mark.parametrize("effort", [1, 9])
@pytest.mark.parametrize("size", [400, 2500])
def test_a_search_that_is_stopped_at_once_still_gives_a_file(photo, effort, size):
    found = codec.encode_to(photo, size=size, effort=effort, goes_on=lambda share: False)
    assert len(found.data) <= size
    assert codec.decode(found.data).size == photo.size


def test_time_is_shared_among_the_files_of_a_search(photo):
    told = []
    codec.encode_to(photo, size=900, effort=2, goes_on=lambda share: told.append(share) or True)
    assert told == sorted(told) and told[0] < 0.1 and told[-1] < 1


def test_a_search_that_is_stopped_falls_back_on_what_was_quick(photo):
    calls = []

    def goes_on(share):
        calls.append(share)
        return len(calls) < 3

    found = codec.encode_to(photo, size=900, effort=9, goes_on=goes_on)
    assert len(found.data) <= 900
    assert len(calls) < 8


def test_sixteen_bits_have_their_own_scale(photo):
    deep = np.asarray(photo).astype(np.uint16) * 257
    found = codec.encode_to(deep, psnr=32)
    shown = codec.Opened(found.data).picture().pixels.astype(float)
    assert 32 <= 10 * np.log10(65535**2 / np.mean((shown - deep) ** 2)) <= 32 + GAP_DB


def test_grey_is_measured_on_one_channel(photo):
    grey = photo.convert("L")
    found = codec.encode_to(grey, psnr=33)
    assert 33 <= psnr_db(grey, found.data) <= 33 + GAP_DB
    assert isinstance(codec.decode(found.data), Image.Image)

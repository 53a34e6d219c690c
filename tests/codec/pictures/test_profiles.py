"""Profiles that are made say what the numbers say, by LittleCMS against plain arithmetic."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from nacre.codec.pictures import profiles
from nacre.codec.pictures.profiles import Colours

PIXELS = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def light(samples: np.ndarray, curve: tuple[float, ...]) -> np.ndarray:
    if len(curve) == 1:
        return samples ** curve[0]
    g, a, b, c, d = curve
    return np.where(samples >= d, np.maximum(a * samples + b, 0) ** g, c * samples)


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def matrix(colours: Colours) -> np.ndarray:
    """RGB to XYZ under the colours' own white."""
    columns = np.array([xyz(*point) for point in colours.primaries]).T
    return columns * np.linalg.solve(columns, xyz(*colours.white))


def plain_srgb(pixels: np.ndarray, colours: Colours) -> np.ndarray:
    """0 to 255; whites are adapted by Bradford's matrix."""
    cone = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    gain = (cone @ xyz(0.3127, 0.329)) / (cone @ xyz(*colours.white))
    to_d65 = np.linalg.inv(cone) @ np.diag(gain) @ cone
    to_linear = np.linalg.inv(matrix(Colours())) @ to_d65 @ matrix(colours)
    linear = np.clip(light(pixels / 255, colours.curve) @ to_linear.T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


KINDS = {
    "linear": Colours(curve=(1.0,)),
    "gamma 2.2": Colours(curve=(2.2,)),
    "another white": Colours((0.34, 0.36)),
    "display p3": profiles.by_numbers(12, 13),
    "bt 2020": profiles.by_numbers(9, 1),
    "dci p3": profiles.by_numbers(11, 4),
    "ntsc": profiles.by_numbers(4, 7),
    "smpte 170m": profiles.by_numbers(6, 6),
}


@pytest.mark.parametrize("colours", KINDS.values(), ids=KINDS.keys())
def test_colours_come_out_as_computed(colours):
    converted = profiles.to_srgb(PIXELS, profiles.made(colours, 3))
    assert np.abs(converted - plain_srgb(PIXELS, colours)).max() < 1
    assert len(profiles.made(colours, 3)) < 500


@pytest.mark.parametrize("curve", [(1.0,), (1.8,), profiles.BT709_CURVE])
def test_greys_come_out_as_computed(curve):
    wanted = plain_srgb(GREY.repeat(3, 2), Colours(curve=curve))[..., :1]
    for profile in (
        profiles.made(Colours(curve=curve), 1),
        profiles.fitted(profiles.made(Colours(curve=curve), 3), 1),
    ):
        assert profiles.space(profile) == b"GRAY"
        assert np.abs(profiles.to_srgb(GREY, profile) - wanted).max() < 1


def test_a_grey_profile_becomes_one_of_colours():
    colours = Colours(curve=(1.8,))
    profile = profiles.fitted(profiles.made(colours, 1), 3)
    assert profiles.space(profile) == b"RGB "
    assert np.abs(profiles.to_srgb(PIXELS, profile) - plain_srgb(PIXELS, colours)).max() < 1


def test_other_readers_take_the_profiles():
    for channels, mode in ((1, "L"), (3, "RGB")):
        profile = profiles.made(Colours(curve=(1.8,)), channels)
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        assert ImageCms.getProfileDescription(found).strip() == "nacre"
        assert ImageCms.isIntentSupported(found, 1, ImageCms.Direction.INPUT) == 1
        image = Image.fromarray(PIXELS).convert(mode)
        ImageCms.profileToProfile(image, found, ImageCms.createProfile("sRGB"), outputMode="RGB")


def test_srgb_needs_no_profile():
    assert profiles.made(profiles.by_numbers(1, 13), 3) == b""
    assert profiles.made(profiles.by_numbers(12, 13), 1) == b""
    assert profiles.fitted(SRGB, 1) == b""
    assert profiles.fitted(SRGB, 3) == SRGB
    assert profiles.is_srgb(SRGB) and not profiles.is_srgb(profiles.made(KINDS["linear"], 3))
    assert not profiles.is_srgb(profiles.made(KINDS["linear"], 1))


def test_what_no_profile_says_is_not_made_up():
    assert profiles.by_numbers(9, 16) is None and profiles.by_numbers(9, 18) is None
    assert profiles.fitted(SRGB[:16] + b"CMYK" + SRGB[20:], 3) is None
    assert profiles.fitted(b"no profile", 1) == b"no profile"
    assert profiles.to_srgb(PIXELS, b"no profile") is None
    with pytest.raises(ValueError, match="do not define a colour space"):
        profiles.made(Colours((0.3, 0.0)), 3)
    with pytest.raises(ValueError, match="do not define a colour space"):
        profiles.made(Colours(primaries=((0.3, 0.3), (0.3, 0.3), (0.3, 0.3))), 3)

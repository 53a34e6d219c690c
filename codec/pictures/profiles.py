"""ICC profiles: making them from colour spaces, fitting them to grey or RGB samples, applying them."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Point = tuple[float, float]  # chromaticity x, y
D65, D50_XYZ = (0.3127, 0.329), (0.9642, 1.0, 0.8249)
BT709 = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

# Colour primaries by code point of H.273: white, then red, green and blue.
PRIMARIES: dict[int, tuple[Point, tuple[Point, Point, Point]]] = {
    1: (D65, BT709),
    4: ((0.31, 0.316), ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08))),
    5: (D65, ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06))),
    6: (D65, ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    7: (D65, ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07))),
    8: ((0.31, 0.316), ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049))),
    9: (D65, ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))),
    11: ((0.314, 0.351), ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))),
    12: (D65, ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))),
    22: (D65, ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077))),
}
BT709_CURVE = (1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.0812)
# Transfer by code point of H.273: exponent, or exponent, a, b, c, d of an ICC parametric curve of type 3.
CURVES: dict[int, tuple[float, ...]] = {
    1: BT709_CURVE,
    4: (2.2,),
    5: (2.8,),
    6: BT709_CURVE,
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0912),
    8: (1.0,),
    11: BT709_CURVE,
    13: SRGB_CURVE,
    14: BT709_CURVE,
    15: BT709_CURVE,
}


@dataclass(frozen=True)
class Colours:
    """A colour space: white point, primaries, and the parameters of the curve from samples to light."""

    white: Point = D65
    primaries: tuple[Point, Point, Point] = BT709
    curve: tuple[float, ...] = SRGB_CURVE


def by_numbers(primaries: int, transfer: int) -> Colours | None:
    """Colour space by code points of H.273, as in cICP; None for those without a matrix profile (PQ)."""
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return Colours(*PRIMARIES[primaries], CURVES[transfer])


def made(colours: Colours, channels: int) -> bytes:
    """A profile of 1 or 3 channels; empty for sRGB, the colour space of samples without a profile."""
    if colours == Colours() or (channels == 1 and colours.curve == SRGB_CURVE):
        return b""
    code = {1: 0, 5: 3}[len(colours.curve)]
    curve = b"para" + bytes(4) + struct.pack(">HH", code, 0) + _fixed(*colours.curve)
    if channels == 1:
        return _profile(b"GRAY", {b"kTRC": curve})
    adapted, adaption = _adapted(colours)
    tags = {
        name: b"XYZ \0\0\0\0" + _fixed(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), adapted.T, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags[b"chad"] = b"sf32" + bytes(4) + _fixed(*adaption.flat)
    return _profile(b"RGB ", tags)


def _adapted(colours: Colours) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix from RGB to XYZ under D50, and the chromatic adaptation matrix to D50 (Bradford)."""
    white = _xyz(colours.white)
    columns = np.array([_xyz(point) for point in colours.primaries]).T
    try:
        columns = columns * np.linalg.solve(columns, white)
        cone = (BRADFORD @ D50_XYZ) / (BRADFORD @ white)
    except np.linalg.LinAlgError as error:
        raise ValueError("the primaries do not define a colour space") from error
    adaption = np.linalg.inv(BRADFORD) @ np.diag(cone) @ BRADFORD
    found = adaption @ columns
    if not np.isfinite(found).all() or np.abs([*found.flat, *adaption.flat]).max() > 100:
        raise ValueError("the primaries do not define a colour space")
    return found, adaption


def _xyz(point: Point) -> NDArray[np.float64]:
    x, y = point
    if y <= 0:
        raise ValueError("the primaries do not define a colour space")
    return np.array([x / y, 1, (1 - x - y) / y])


def _fixed(*values: float) -> bytes:
    """Numbers as s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile, version 4.3."""
    tags = {
        b"desc": _text("nacre"),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(*D50_XYZ),
        **tags,
    }
    table, body, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", places[data], len(data))
    head = struct.pack(
        ">I4sI4s4s4s6H4s", start + len(body), bytes(4), 0x04300000, b"mntr", space, b"XYZ ",
        2024, 1, 1, 0, 0, 0, b"acsp",
    )  # fmt: skip
    return head.ljust(68, b"\0") + _fixed(*D50_XYZ).ljust(60, b"\0") + table + body


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data


def space(profile: bytes) -> bytes:
    """Colour space of the samples, `RGB `, `GRAY`, ...; empty if the bytes are no profile."""
    return profile[16:20] if profile[36:40] == b"acsp" else b""


def fitted(profile: bytes, channels: int) -> bytes | None:
    """A profile for samples of 1 or 3 channels: `profile`, one made of its tone curve, or None.

    Bytes that are no profile are returned unchanged.
    """
    found, wanted = space(profile), b"GRAY" if channels == 1 else b"RGB "
    if found in (b"", wanted):
        return profile
    curves = [_tag(profile, name) for name in (b"kTRC", b"rTRC", b"gTRC", b"bTRC")]
    curve = curves[0] if found == b"GRAY" else curves[1]
    if found not in (b"GRAY", b"RGB ") or not curve or (channels == 1 and len({*curves[1:]}) > 1):
        return None
    if channels == 1:
        return b"" if is_srgb(profile) else _profile(b"GRAY", {b"kTRC": curve})
    plain = Colours(curve=(1.0,))
    tags = {
        name: b"XYZ \0\0\0\0" + _fixed(*column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), _adapted(plain)[0].T, strict=True)
    }
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def _tag(profile: bytes, name: bytes) -> bytes:
    """The tag of that name if it is a curve, else empty."""
    for at in range(132, min(len(profile), 132 + 12 * 100), 12):
        if profile[at : at + 4] == name:
            place, size = struct.unpack_from(">II", profile, at + 4)
            data = profile[place : place + size]
            return data if data[:4] in (b"curv", b"para") else b""
    return b""


def is_srgb(profile: bytes) -> bool:
    """Whether conversion to sRGB changes no sample by more than one level of 8 bits."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(27, 27, 3)
    if space(profile) == b"GRAY":  # all 256 levels
        cube = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    converted = to_srgb(cube, profile)
    return converted is not None and int(np.abs(converted.astype(int) - cube).max()) <= 1


def to_srgb(pixels: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8] | None:
    """(H, W, 1 or 3) converted to sRGB; None where the profile cannot be applied.

    Grey is converted by an RGB profile of its curve: LittleCMS is off by 10 levels in dark greys otherwise.
    """
    channels = pixels.shape[2]
    usable = fitted(profile, 3) if channels == 1 else profile
    if not usable:
        return None
    converted = converted_to_srgb(
        Image.fromarray(pixels if channels == 3 else pixels.repeat(3, 2)), usable
    )
    return None if converted is None else np.asarray(converted)[..., :channels]


def converted_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """An sRGB image from one of the mode of the profile, or without a profile from CIELAB; None on failure."""
    try:
        source: Any = (
            ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if profile
            else ImageCms.createProfile("LAB")
        )
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (
        OSError,
        ValueError,
        ImageCms.PyCMSError,
    ):  # no profile, or one for another mode
        return None

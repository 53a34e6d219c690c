"""Converts Y'CbCr planes of any range, matrix and subsampling to RGB and back.

Halved chroma is interpolated linearly. The inverse filter undoes this exactly: (-1 2 6 2 -1) / 8 where chroma
lies on luma columns, (-1 3 3 -1) / 4 where it lies between them (the duals of the linear and quadratic
B-splines, Cohen, Daubechies, Feauveau 1992). Unchanged planes therefore survive the round trip, except for the
rounding of RGB and for colours outside of RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacre.codec.clips.facts import ChromaSite, Pixels, Range

Plane = NDArray[Any]  # (h, w) uint8 or uint16
Floats = NDArray[np.float32]
WEIGHTS = {  # of red and blue in luma, by the number of the matrix in ITU-T H.273
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),  # constant luminance, read as matrix 9
}
HD_LINES = 720  # from this height on an unknown matrix is taken for BT.709


@dataclass(frozen=True)
class Layout:
    """The meaning of the samples of planes."""

    bits: int  # of a sample
    step_x: int  # luma columns for a chroma column
    step_y: int
    range: Range
    matrix: int  # as in ITU-T H.273
    site: ChromaSite = ChromaSite.LEFT
    is_grey: bool = False

    @property
    def is_centred(self) -> tuple[bool, bool]:
        """Whether chroma lies between luma columns, and between luma lines."""
        return self.site == ChromaSite.CENTRE, self.site != ChromaSite.TOP_LEFT

    def known_matrix(self, height: int) -> int:
        """The matrix; where it is not known, the usual one for clips of that height."""
        return self.matrix if self.matrix in WEIGHTS else 1 if height >= HD_LINES else 6

    @property
    def scales(self) -> tuple[float, float, float, float]:
        """Black and span of luma, middle and span of chroma, in steps of a sample."""
        unit, top = float(1 << self.bits - 8), float((1 << self.bits) - 1)
        middle = float(1 << self.bits - 1)
        if self.range == Range.FULL:
            return 0.0, top, middle, top
        return 16 * unit, 219 * unit, middle, 224 * unit


def to_rgb(planes: tuple[Plane, ...], layout: Layout) -> Pixels:
    """(H, W, 3) of 8 bits, or of 16 where the planes have more than 8."""
    black, span, middle, chroma_span = layout.scales
    luma = (planes[0].astype(np.float32) - black) / span
    top, kind = (255, np.uint8) if layout.bits == 8 else (65535, np.uint16)
    pixels = np.empty((*luma.shape, 3), kind)
    if layout.is_grey:
        pixels[:] = _rounded(luma, top, kind)[..., None]
        return pixels
    cb, cr = (
        _upsampled((plane.astype(np.float32) - middle) / chroma_span, luma.shape, layout)
        for plane in planes[1:3]
    )
    red, blue = WEIGHTS[layout.known_matrix(len(luma))]
    green = 1 - red - blue
    pixels[..., 0] = _rounded(luma + 2 * (1 - red) * cr, top, kind)
    pixels[..., 2] = _rounded(luma + 2 * (1 - blue) * cb, top, kind)
    mixed = (2 * blue * (1 - blue) / green) * cb + (2 * red * (1 - red) / green) * cr
    pixels[..., 1] = _rounded(luma - mixed, top, kind)
    return pixels


def from_rgb(pixels: Pixels, layout: Layout) -> tuple[Plane, ...]:
    """Undo `to_rgb`: one plane of a grey layout, else three."""
    black, span, middle, chroma_span = layout.scales
    r, g, b = np.moveaxis(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max, 2, 0)
    red, blue = WEIGHTS[layout.known_matrix(len(pixels))]
    luma = red * r + (1 - red - blue) * g + blue * b
    top, kind = (1 << layout.bits) - 1, np.uint8 if layout.bits == 8 else np.uint16
    planes = [_rounded(luma * span + black, 1, kind, top)]
    if layout.is_grey:
        return tuple(planes)
    for colour, weight in ((b, blue), (r, red)):
        chroma = _downsampled((colour - luma) / (2 * (1 - weight)), layout)
        planes.append(_rounded(chroma * chroma_span + middle, 1, kind, top))
    return tuple(planes)


def _rounded(x: Floats, scale: float, kind: type[Any], top: int | None = None) -> Plane:
    """To whole numbers from 0 to `top`, which is `scale` unless given."""
    return np.clip(np.rint(x * np.float32(scale)), 0, scale if top is None else top).astype(kind)


def _upsampled(x: Floats, shape: tuple[int, ...], layout: Layout) -> Floats:
    height, width = shape
    centred_x, centred_y = layout.is_centred
    x = _longer(x, layout.step_y, height, centred_y)
    return _longer(x.T, layout.step_x, width, centred_x).T


def _downsampled(x: Floats, layout: Layout) -> Floats:
    centred_x, centred_y = layout.is_centred
    x = _shorter(x, layout.step_y, centred_y)
    return _shorter(x.T, layout.step_x, centred_x).T


def _longer(x: Floats, step: int, size: int, is_centred: bool) -> Floats:
    """Upsample the first axis by `step`, cropped to `size` lines; edges are repeated."""
    if step != 2:
        return x if step == 1 else np.repeat(x, step, axis=0)[:size]
    before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
    out = np.empty((2 * len(x), *x.shape[1:]), np.float32)
    out[0::2] = 0.75 * x + 0.25 * before if is_centred else x
    out[1::2] = 0.75 * x + 0.25 * after if is_centred else 0.5 * (x + after)
    return out[:size]


def _shorter(x: Floats, step: int, is_centred: bool) -> Floats:
    """Undo `_longer`."""
    count = -(-len(x) // step)
    if step == 1:
        return x
    if step != 2:
        padded = np.concatenate([x, np.repeat(x[-1:], count * step - len(x), axis=0)])
        return padded.reshape(count, step, *x.shape[1:]).mean(axis=1, dtype=np.float32)
    if len(x) % 2 and is_centred and len(x) > 1:  # extrapolates the line that `_longer` crops
        x = np.concatenate([x, 1.5 * x[-1:] - 0.5 * x[-2:-1]])
    first, last = x[:1], x[-1:]
    wide = np.concatenate([first, first, x, last, last, last])  # line i of x is line i + 2

    def line(offset: int) -> Floats:
        return wide[2 + offset : 2 + offset + 2 * count : 2][:count]

    if is_centred:
        return 0.75 * (line(0) + line(1)) - 0.25 * (line(-1) + line(2))
    return 0.75 * line(0) + 0.25 * (line(-1) + line(1)) - 0.125 * (line(-2) + line(2))

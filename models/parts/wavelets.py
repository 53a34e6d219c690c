"""Wavelet packets by lifting: critically sampled, in any number of dimensions, with perfect reconstruction.

At every level each channel becomes a low and a high band along each axis, and all of them are split again. A
side must be a multiple of 2**levels. Borders: a lifting step repeats the last sample of the band that it reads,
which mirrors the signal at its first and its last sample (whole-sample symmetry, as JPEG 2000 does) at every
level. Filters have unit gain in the sense of an orthonormal transform: a constant of 1 gives 2**(levels / 2)
for each axis.

Sources: Daubechies and Sweldens, "Factoring wavelet transforms into lifting steps", 1998; wavelet packets as a
transform of learned codecs, WaLLoC, arXiv:2412.09405. Differs from WaLLoC: borders are mirrored, not periodic,
so that a picture may be computed in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lifting:
    """The lifting steps of a pair of filters.

    Steps change the high and the low band in turns, the high band first: each adds a weighted sum of two
    samples of the other band, the one at the same place and its neighbour on the side of the pair.
    """

    # For each step, the weights of the sample at the same place and of its neighbour.
    steps: tuple[tuple[float, float], ...]
    scale: float  # of the low band; the high band is divided by it

    @property
    def halo(self) -> int:
        """Positions at any level that analysis and synthesis look beyond a position, at most."""
        return sum(neighbour != 0 for _, neighbour in self.steps)


def _symmetric(*weights: float) -> tuple[tuple[float, float], ...]:
    return tuple((weight, weight) for weight in weights)


WAVELETS = {
    "9/7": Lifting(
        _symmetric(
            -1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971
        ),
        1.149604398860241,
    ),
    "5/3": Lifting(_symmetric(-0.5, 0.25), 2**0.5),
    "haar": Lifting(((-1.0, 0.0), (0.5, 0.0)), 2**0.5),
}  # fmt: skip


def analysis(x: Tensor, wavelet: str, levels: int) -> Tensor:
    """x (B, C, *sides) to (B, C * 2**(levels * axes), *sides / 2**levels).

    Order of the output channels, outermost first: input channel, band along the first axis, ..., band along the
    last axis. Bands along an axis are ordered by their path through the levels, low before high, the first
    level outermost.
    """
    batch, channels, *sides = x.shape
    lifting, factor = WAVELETS[wavelet], 2**levels
    _check(sides, factor)
    v = x.reshape(batch * channels, *sides)
    for side in sides:  # the first axis is split and becomes the last
        v = v.reshape(v.shape[0], side, -1)
        for _ in range(levels):
            v = torch.stack(_split(v, lifting), 1).flatten(0, 1)
        v = v.transpose(1, 2)
    bands = factor ** len(sides)
    return v.reshape(batch, channels * bands, *(side // factor for side in sides))


def synthesis(coefficients: Tensor, wavelet: str, levels: int) -> Tensor:
    """Undo `analysis`."""
    batch, channels, *sides = coefficients.shape
    lifting, factor = WAVELETS[wavelet], 2**levels
    channels //= factor ** len(sides)
    v = coefficients.flatten(0, 1)
    for side in reversed(sides):  # the last axis becomes the first and is put together
        v = v.reshape(v.shape[0], -1, side).transpose(1, 2)
        for _ in range(levels):
            low, high = v.unflatten(0, (-1, 2)).unbind(1)
            v = _merge(low, high, lifting)
    return v.reshape(batch, channels, *(side * factor for side in sides))


def _split(v: Tensor, lifting: Lifting) -> tuple[Tensor, Tensor]:
    """v (A, N, R) to its low and high band, (A, N / 2, R) each."""
    bands = [v[:, 0::2], v[:, 1::2]]
    for step, weights in enumerate(lifting.steps):
        changed = 1 - step % 2
        bands[changed] = bands[changed] + _weighted(bands[1 - changed], *weights, changed == 1)
    return bands[0] * lifting.scale, bands[1] / lifting.scale


def _merge(low: Tensor, high: Tensor, lifting: Lifting) -> Tensor:
    """Undo `_split`."""
    bands = [low / lifting.scale, high * lifting.scale]
    for step, weights in reversed(list(enumerate(lifting.steps))):
        changed = 1 - step % 2
        bands[changed] = bands[changed] - _weighted(bands[1 - changed], *weights, changed == 1)
    return torch.stack(bands, 2).flatten(1, 2)


def _weighted(band: Tensor, own: float, neighbour: float, is_next: bool) -> Tensor:
    """The sum of a lifting step; the neighbour is the next or the previous sample, repeated at the border."""
    if neighbour == 0:
        return own * band
    beside = [band[:, 1:], band[:, -1:]] if is_next else [band[:, :1], band[:, :-1]]
    return torch.add(own * band, torch.cat(beside, 1), alpha=neighbour)


def _check(sides: list[int], factor: int) -> None:
    if any(side % factor or not side for side in sides):
        raise ValueError(f"sides {sides} are no multiples of {factor}")

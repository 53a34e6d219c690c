"""The transforms in blocks, so that memory depends on a block and not on the picture.

A block is computed with a halo as wide as the receptive field of the network's layers, so no seam can be
seen: in and out of blocks, samples are equal but for the last bits of a float. Latents come and go in
bands of rows, of any heights; no more of them is held than a row of blocks needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nacre.codec import memory
from nacre.codec.tiles import Area, Runner, finite
from nacre.models.config import STRIDE, ImageConfig

BLOCK_PIXELS = 1 << 22  # with the halo; pictures up to this size are one block
BLOCK_COLUMNS = 192  # positions of the latent: flat blocks have few rows of latents to hold
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
PEAKS = {8: 255, 16: 65535}  # by bits a sample
DTYPES = {8: np.uint8, 16: np.uint16}


@dataclass(frozen=True)
class Span:
    """Rows or columns of the latent: `start` to `end`, computed from `low` to `high`, ends excluded."""

    start: int
    end: int
    low: int
    high: int

    @property
    def core(self) -> slice:
        """The span's own among those computed."""
        return slice(self.start - self.low, self.end - self.low)

    @property
    def core_pixels(self) -> slice:
        return slice(self.core.start * STRIDE, self.core.stop * STRIDE)

    @property
    def pixels(self) -> slice:
        return slice(self.low * STRIDE, self.high * STRIDE)


@dataclass(frozen=True)
class Band:
    """Rows of the latent as they are decoded."""

    y_hat: Tensor  # (1, M, rows, w)
    features: Tensor  # (1, context, rows, w)

    @property
    def rows(self) -> int:
        return self.y_hat.shape[2]

    @classmethod
    def empty(cls, size: tuple[int, int], config: ImageConfig, device: torch.device) -> Band:
        """Of that many rows and columns, to be filled."""
        return cls(
            *(torch.empty(1, c, *size, device=device) for c in (config.latent, config.context))
        )

    def put(self, left: int, y_hat: Tensor, features: Tensor) -> None:
        """Columns from `left` on."""
        for whole, part in ((self.y_hat, y_hat), (self.features, features)):
            whole[:, :, :, left : left + part.shape[3]] = part

    def below(self, row: int) -> Band:
        """A copy of the rows from `row` on."""
        return Band(self.y_hat[:, :, row:].clone(), self.features[:, :, row:].clone())


def halo(config: ImageConfig) -> int:
    """Rows of the latent that a transform looks beyond a position: one for each block at stride 16, and
    one for every two at stride 8."""
    return config.blocks16 + -(-config.blocks8 // 2)


def blocks(height: int, width: int, config: ImageConfig) -> tuple[list[Span], list[Span]]:
    """Rows and columns of blocks that a latent of that size is cut into, each of about BLOCK_PIXELS."""
    positions, beyond = BLOCK_PIXELS // STRIDE**2, halo(config)
    if height * width <= positions:
        return spans(height, height, beyond), spans(width, width, beyond)
    columns = min(width, max(BLOCK_COLUMNS, positions // height))
    rows = max(1, positions // (columns + 2 * beyond) - 2 * beyond)
    return spans(height, rows, beyond), spans(width, columns, beyond)


def spans(count: int, size: int, beyond: int) -> list[Span]:
    """`count` positions in spans of `size`, each computed with `beyond` more on both sides."""
    ends = [(start, min(start + size, count)) for start in range(0, count, size)]
    return [Span(s, e, max(0, s - beyond), min(count, e + beyond)) for s, e in ends]


class Analysis:
    """Pixels (H, W, 1 or 3) of uint8 or uint16, which may be a memory map, to y at any quality.

    Edges are repeated up to a multiple of 16. Of a picture that is one block, what all qualities share is kept.
    """

    def __init__(self, runner: Runner, pixels: Pixels) -> None:
        self._runner, self._pixels = runner, pixels
        height, width = (-(-side // STRIDE) for side in pixels.shape[:2])
        self._rows, self._columns = blocks(height, width, runner.model.config)
        self._kept: Tensor | None = None

    def bands(self, t: Tensor, band: int) -> Iterator[Tensor]:
        """y (1, M, h, w) at quality t (1,), in bands of `band` rows, the last one of what is left."""
        held: list[
            Tensor
        ] = []  # no more than a row of blocks beside a band: names are let go of at once
        for row in self._rows:
            held.append(torch.cat([self._block(t, row, column) for column in self._columns], 3))
            memory.give_back_read(self._pixels)
            if len(self._rows) > 1:
                memory.give_back_freed()
            is_last = row is self._rows[-1]
            while sum(part.shape[2] for part in held) >= band or (is_last and held):
                joined = held[0] if len(held) == 1 else torch.cat(held, 2)
                held = [joined[:, :, band:]] if joined.shape[2] > band else []
                yield joined[:, :, :band]
                del joined

    def with_pixels(self, t: Tensor, area: Area, pixels: Pixels) -> Tensor:
        """y (1, M, h, w) of an area of the latent, as if the picture had `pixels` (h, w, C) there."""
        beyond = halo(self._runner.model.config)
        row, column = (
            Span(first, last, max(0, first - beyond), last + beyond)
            for first, last in ((area.top, area.bottom), (area.left, area.right))
        )
        around: Pixels = self._pixels[row.pixels, column.pixels].copy()
        top, left = row.core_pixels.start, column.core_pixels.start
        around[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        with self._runner.autocast():
            y = self._runner.model.network.analysis.at_quality(self._features(around), t)
        return y[:, :, row.core, column.core].float()

    def _block(self, t: Tensor, row: Span, column: Span) -> Tensor:
        with self._runner.autocast():
            features = self._kept
            if features is None:
                features = self._features(self._pixels[row.pixels, column.pixels])
            if len(self._rows) == len(self._columns) == 1:
                self._kept = features
            y = self._runner.model.network.analysis.at_quality(features, t)
        return y[:, :, row.core, column.core].float()

    def _features(self, pixels: Pixels) -> Tensor:
        x = samples(pixels, self._runner.device)
        x = x.expand(1, 3, *x.shape[2:])
        padding = (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE)
        x = F.pad(x, padding, mode="replicate").contiguous(memory_format=torch.channels_last)
        features: Tensor = self._runner.model.network.analysis.at_any_quality(x)
        return features


def samples(pixels: Pixels, device: torch.device) -> Tensor:
    """(1, C, H, W) in [0, 1] of pixels (H, W, C)."""
    copied = np.array(pixels)  # for torch to hold
    peak = PEAKS[8 * copied.itemsize]
    if copied.dtype != np.uint8:  # torch knows little of other unsigned numbers
        copied = copied.astype(np.float32)
    return torch.from_numpy(copied).to(device).permute(2, 0, 1)[None].float() / peak


def synthesise(
    runner: Runner,
    bands: Iterable[Band],
    size: tuple[int, int],
    t: Tensor,
    channels: int,
    depth: int = 8,
) -> Iterator[Pixels]:
    """Pixels (rows, 16 width, channels) of `depth` bits, downwards, of a latent (1, M, *size).

    Grey is the mean of the three colours.
    """
    window = _Window(iter(bands))
    rows, columns = blocks(*size, runner.model.config)
    for row in rows:
        window.move(row.low, row.high)
        shape = ((row.end - row.start) * STRIDE, size[1] * STRIDE, channels)
        pixels = np.empty(shape, DTYPES[depth])
        for column in columns:
            y_hat, features = window.block(row, column)
            with runner.autocast():
                x_hat = runner.model.network.synthesis(y_hat, features, t)
            x_hat = finite(x_hat[0, :, row.core_pixels, column.core_pixels])
            if channels == 1:
                x_hat = x_hat.mean(0, keepdim=True)
            samples = (x_hat.clamp(0, 1) * PEAKS[depth]).round().permute(1, 2, 0)
            pixels[:, column.start * STRIDE : column.end * STRIDE] = samples.cpu().numpy()
        del y_hat, features, x_hat, samples
        if len(rows) > 1:
            memory.give_back_freed()
        yield pixels
        del pixels


class _Window:
    """The rows of a latent that are needed now, out of bands that come one after the other."""

    def __init__(self, bands: Iterator[Band]) -> None:
        self._bands = bands
        self._held: list[Band] = []
        self._top = 0  # the row of the latent that the first held one begins with

    def move(self, low: int, high: int) -> None:
        """Hold rows `low` to `high` and no more bands than that takes."""
        end = self._top + sum(band.rows for band in self._held)
        while True:
            self._drop(low)
            if end >= high:
                return
            self._held.append(next(self._bands))
            end += self._held[-1].rows

    def _drop(self, low: int) -> None:
        """What lies above row `low`."""
        while self._held and self._top + self._held[0].rows <= low:
            self._top += self._held.pop(0).rows
        if self._held and low > self._top:
            self._held[0], self._top = self._held[0].below(low - self._top), low

    def block(self, row: Span, column: Span) -> tuple[Tensor, Tensor]:
        """y_hat and features, with the halo."""
        y_hat, features, top = [], [], self._top
        for band in self._held:
            here = slice(max(0, row.low - top), max(0, min(band.rows, row.high - top)))
            y_hat.append(band.y_hat[:, :, here, column.low : column.high])
            features.append(band.features[:, :, here, column.low : column.high])
            top += band.rows
        return torch.cat(y_hat, 2), torch.cat(features, 2)

"""Analysis and synthesis in blocks: memory depends on the size of a block, not of the picture.

A block is computed with a halo as wide as the reach of the network. Cutting into blocks therefore changes only
the last bits of floats. Latents pass in bands of rows of any height; only the rows that a row of blocks needs
are held.
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
from nacre.codec.areas import Area, Span, positions, spans, widened
from nacre.codec.run import Run
from nacre.codec.tiles import finite
from nacre.entropy.walk import Planes
from nacre.models.family import Reach

BLOCK_PIXELS = 1 << 22  # with the halo; pictures up to this size are one block
BLOCK_COLUMNS = 3072  # pixels: flat blocks hold few rows of latents
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
PEAKS = {8: 255, 16: 65535}  # by bits a sample
DTYPES = {8: np.uint8, 16: np.uint16}


def size_of(planes: Planes) -> tuple[int, int]:
    """Rows and columns of planes of one size."""
    height, width = next(iter(planes.values())).shape[2:]
    return height, width


def window(planes: Planes, rows: slice, columns: slice) -> Planes:
    """A view of planes of one size."""
    return {name: plane[..., rows, columns] for name, plane in planes.items()}


def join(parts: list[Planes], axis: int) -> Planes:
    """Planes one below the other (axis 2), or side by side (axis 3)."""
    if len(parts) == 1:
        return parts[0]
    return {name: torch.cat([part[name] for part in parts], axis) for name in parts[0]}


def blocks(height: int, width: int, reach: Reach) -> tuple[list[Span], list[Span]]:
    """Rows and columns of the blocks of a latent of height x width, each of about BLOCK_PIXELS."""
    most, halo, align = BLOCK_PIXELS // reach.stride**2, reach.halo, reach.align
    if height * width <= most:
        return spans(height, height, halo), spans(width, width, halo)
    columns = min(width, max(1, BLOCK_COLUMNS // reach.stride, most // height))
    rows = max(1, most // (columns + 2 * halo) - 2 * halo)
    return spans(height, rows, halo, align), spans(width, columns, halo, align)


class BlockAnalysis:
    """Analyses pixels (H, W, 1 or 3) of uint8 or uint16, which may be a memory map, at any quality.

    Edges are repeated up to a multiple of the stride. For a picture of one block, the part of the analysis that
    all qualities share is kept.
    """

    def __init__(self, run: Run, pixels: Pixels) -> None:
        self._run, self._pixels, self._reach = run, pixels, run.network.reach
        height, width = (positions(side, self._reach.stride) for side in pixels.shape[:2])
        self._rows, self._columns = blocks(height, width, self._reach)
        self._kept: Tensor | None = None

    def bands(self, t: Tensor, rows: int) -> Iterator[Planes]:
        """Planes (1, C, rows, w) at quality t (1,), downwards; the last band has the rows that are left."""
        # Holds at most a row of blocks and a band: references to tensors are dropped at once.
        held: list[Planes] = []
        for row in self._rows:
            held.append(join([self._block(t, row, column) for column in self._columns], 3))
            memory.give_back_read(self._pixels)
            if len(self._rows) > 1:
                memory.give_back_freed()
            is_last = row is self._rows[-1]
            while sum(size_of(part)[0] for part in held) >= rows or (is_last and held):
                joined = join(held, 2)
                everywhere = slice(None)
                is_more = size_of(joined)[0] > rows
                held = [window(joined, slice(rows, None), everywhere)] if is_more else []
                yield window(joined, slice(0, rows), everywhere)
                del joined

    def with_pixels(self, t: Tensor, area: Area, pixels: Pixels) -> Planes:
        """Planes (1, C, h, w) of an area, as if the picture had `pixels` (h, w, C) there."""
        stride, halo = self._reach.stride, self._reach.halo
        row, column = (
            Span(first, last, *widened(first, last, halo, self._reach.align, count))
            for first, last, count in (
                (area.top, area.bottom, positions(self._pixels.shape[0], stride)),
                (area.left, area.right, positions(self._pixels.shape[1], stride)),
            )
        )
        around: Pixels = self._pixels[row.pixels(stride), column.pixels(stride)].copy()
        top, left = row.core_pixels(stride).start, column.core_pixels(stride).start
        around[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return self._analysed(self._prepared(around), t, row, column)

    def _block(self, t: Tensor, row: Span, column: Span) -> Planes:
        prepared = self._kept
        if prepared is None:
            stride = self._reach.stride
            prepared = self._prepared(self._pixels[row.pixels(stride), column.pixels(stride)])
        if len(self._rows) == len(self._columns) == 1:
            self._kept = prepared
        return self._analysed(prepared, t, row, column)

    def _analysed(self, prepared: Tensor, t: Tensor, row: Span, column: Span) -> Planes:
        with self._run.computing():
            planes = self._run.network.analyse(prepared, t)
        core = window(planes, row.core, column.core)
        return {name: plane.float() for name, plane in core.items()}

    def _prepared(self, pixels: Pixels) -> Tensor:
        x, stride = samples(pixels, self._run.device), self._reach.stride
        x = x.expand(1, 3, *x.shape[2:])
        padding = (0, -x.shape[3] % stride, 0, -x.shape[2] % stride)
        x = F.pad(x, padding, mode="replicate") if any(padding) else x  # it copies, even by nothing
        x = x.contiguous(memory_format=torch.channels_last)
        with self._run.computing():
            return self._run.network.prepare(x)


def samples(pixels: Pixels, device: torch.device) -> Tensor:
    """(1, C, H, W) in [0, 1] of pixels (H, W, C)."""
    copied = np.array(pixels)  # for torch to hold
    peak = PEAKS[8 * copied.itemsize]
    if copied.dtype != np.uint8:  # torch knows little of other unsigned numbers
        copied = copied.astype(np.float32)
    return torch.from_numpy(copied).to(device).permute(2, 0, 1)[None].float().div_(peak)


def synthesise(
    run: Run,
    bands: Iterable[Planes],
    size: tuple[int, int],
    t: Tensor,
    channels: int,
    depth: int = 8,
) -> Iterator[Pixels]:
    """Pixels (rows, width, channels) of `depth` bits, downwards, of a latent of `size` positions.

    Grey is the mean of the three colours.
    """
    held, reach = _HeldRows(iter(bands)), run.network.reach
    stride = reach.stride
    rows, columns = blocks(*size, reach)
    for row in rows:
        held.move(row.low, row.high)
        shape = ((row.end - row.start) * stride, size[1] * stride, channels)
        pixels = np.empty(shape, DTYPES[depth])
        for column in columns:
            with run.computing():
                x_hat = run.network.synthesise(held.block(row, column), t)
            x_hat = finite(x_hat[0, :, row.core_pixels(stride), column.core_pixels(stride)])
            if channels == 1:
                x_hat = x_hat.mean(0, keepdim=True)
            levels = (x_hat.float().clamp(0, 1) * PEAKS[depth]).round().permute(1, 2, 0)
            pixels[:, column.start * stride : column.end * stride] = levels.cpu().numpy()
        del x_hat, levels
        if len(rows) > 1:
            memory.give_back_freed()
        yield pixels
        del pixels


@dataclass
class Band:
    """Rows of a latent, filled from decoded tiles side by side."""

    height: int
    width: int
    planes: Planes

    @classmethod
    def empty(cls, height: int, width: int) -> Band:
        return cls(height, width, {})

    def put(self, left: int, shown: Planes) -> None:
        """Put planes at the columns from `left` on."""
        for name, part in shown.items():
            if name not in self.planes:
                shape = (1, part.shape[1], self.height, self.width)
                self.planes[name] = torch.empty(shape, dtype=part.dtype, device=part.device)
            self.planes[name][..., left : left + part.shape[3]] = part


class _HeldRows:
    """The rows of a latent that the current blocks need, taken from successive bands."""

    def __init__(self, bands: Iterator[Planes]) -> None:
        self._bands = bands
        self._held: list[Planes] = []
        self._top = 0  # the first held row of the latent

    def move(self, low: int, high: int) -> None:
        """Hold rows `low` to `high`, and take only as many bands as they need."""
        end = self._top + sum(size_of(band)[0] for band in self._held)
        while True:
            self._drop_above(low)
            if end >= high:
                return
            self._held.append(next(self._bands))
            end += size_of(self._held[-1])[0]

    def _drop_above(self, low: int) -> None:
        while self._held and self._top + size_of(self._held[0])[0] <= low:
            self._top += size_of(self._held.pop(0))[0]
        if self._held and low > self._top:
            below = window(self._held[0], slice(low - self._top, None), slice(None))
            self._held[0], self._top = {k: v.clone() for k, v in below.items()}, low

    def block(self, row: Span, column: Span) -> Planes:
        """Planes of a block, with the halo."""
        parts, top = [], self._top
        for band in self._held:
            height = size_of(band)[0]
            here = slice(max(0, row.low - top), max(0, min(height, row.high - top)))
            parts.append(window(band, here, slice(column.low, column.high)))
            top += height
        return join(parts, 2)

"""Block motion search from coarse to fine, by absolute differences and the price of the bits of vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacre.codec.motion.compensation import BEFORE, FILTERS, TAPS
from nacre.codec.motion.field import (
    BLOCK,
    MAX_VECTOR,
    PART,
    UNITS,
    Hints,
    MotionField,
    MotionMode,
    Vectors,
    blocks_along,
)

COARSE = 4  # factor by which frames are reduced for the first search
BEYOND = 16  # pixels of repeated edges around planes, for interpolation and refinement
MODE_BITS = {
    MotionMode.SKIP: 0.5,
    MotionMode.INTER: 1.5,
    MotionMode.SPLIT: 20.0,  # blocks overlap: four vectors gain less than their bits suggest
    MotionMode.INTRA: 6.0,
}
INTRA_ACTIVITY = 1.0  # cost of INTRA, by the absolute differences of a block to its mean
AROUND = torch.tensor([(0, 0), *((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)])


@dataclass(frozen=True)
class MotionEffort:
    """How hard to search."""

    reach: int = 32  # pixels, in either direction
    kept: int = 3  # coarse candidates for each block
    passes: int = 2  # of propagation of vectors between neighbours
    splits: bool = False


def search(
    current: Tensor, reference: Tensor, bit_price: float, effort: MotionEffort = MotionEffort()
) -> MotionField:
    """The motion from a reference to the current frame, both luma (H, W) uint8 on the CPU.

    `bit_price` is the price of a bit in absolute differences.
    """
    height, width = current.shape
    rows, columns = blocks_along(height), blocks_along(width)
    now, then = _Planes(current, rows, columns), _Planes(reference, rows, columns)
    finder = _Finder(now, then, bit_price)
    vectors = finder.refined(finder.coarse(effort.reach, effort.kept))
    for _ in range(effort.passes):
        vectors = finder.passed_on(vectors)
    return finder.decided(vectors, effort.splits)


class _Planes:
    """A frame with its edges repeated, at full and at coarse size, and at all quarters of a pixel."""

    def __init__(self, frame: Tensor, rows: int, columns: int) -> None:
        height, width = frame.shape
        self.rows, self.columns = rows, columns
        edges = (0, columns * BLOCK - width, 0, rows * BLOCK - height)
        self.full = F.pad(frame[None, None].float(), edges, mode="replicate")
        self.coarse = F.avg_pool2d(self.full, COARSE)
        self._quarters: Tensor | None = None

    @property
    def quarters(self) -> Tensor:
        """(16, H + 2 * BEYOND, W + 2 * BEYOND): plane 4 * d + r is moved by d quarters down and r right."""
        if self._quarters is None:
            beyond = (BEYOND + BEFORE, BEYOND + TAPS - BEFORE - 1) * 2
            wide = F.pad(self.full, beyond, mode="replicate")
            taps = torch.tensor(FILTERS, dtype=torch.float32) / 64
            down = F.conv2d(wide, taps[:, None, :, None])
            found = F.conv2d(down.transpose(0, 1), taps[:, None, None, :])
            self._quarters = found.flatten(0, 1)
        return self._quarters


class _Finder:
    """Finds vectors (n, 2) of all blocks in raster order, in quarters of a pixel."""

    def __init__(self, now: _Planes, then: _Planes, bit_price: float) -> None:
        self.now, self.then, self.price = now, then, bit_price
        self.rows, self.columns = now.rows, now.columns
        self._blocks = self._cut(now, BLOCK)
        self._blocks_array, self._quarters_array = self._blocks.numpy(), then.quarters.numpy()

    @staticmethod
    def _cut(planes: _Planes, side: int) -> Tensor:
        """(n, side, side) blocks in raster order."""
        rows, columns = planes.rows * BLOCK // side, planes.columns * BLOCK // side
        cut = planes.full[0, 0].unflatten(0, (rows, side)).unflatten(2, (columns, side))
        return cut.transpose(1, 2).flatten(0, 1)

    def coarse(self, reach: int, kept: int) -> Tensor:
        """(n, kept + 1, 2) the best vectors in steps of COARSE pixels, and zero."""
        far = -(-reach // COARSE)
        then = F.pad(self.then.coarse, (far,) * 4, mode="replicate")
        height, width = self.now.coarse.shape[2:]
        steps = [(y, x) for y in range(-far, far + 1) for x in range(-far, far + 1)]
        costs = []
        for y, x in steps:
            window = then[..., far + y : far + y + height, far + x : far + x + width]
            cost = F.avg_pool2d((self.now.coarse - window).abs(), BLOCK // COARSE)
            far_bits = _bits(np.array([y, x]) * COARSE * UNITS)
            costs.append(cost.flatten() * BLOCK**2 + self.price * far_bits)
        best = torch.stack(costs).topk(min(kept, len(steps)), 0, largest=False).indices.T
        found = torch.tensor(steps)[best] * COARSE * UNITS
        return torch.cat([found, torch.zeros_like(found[:, :1])], 1)

    def refined(self, candidates: Tensor) -> Tensor:
        """(n, 2) the best candidate of (n, k, 2), refined to a quarter of a pixel."""
        vectors = self._best(candidates)
        for step in (2 * UNITS, UNITS, UNITS, 2, 1):
            vectors = self._best(vectors[:, None] + step * AROUND)
        return vectors

    def passed_on(self, vectors: Tensor) -> Tensor:
        """(n, 2) the best of each block's vector, its neighbours' vectors, their median and zero; refined."""
        grid = vectors.unflatten(0, (self.rows, self.columns))
        wide = F.pad(grid.permute(2, 0, 1)[None].float(), (1, 1, 1, 1), mode="replicate")[0].long()
        shifted = [
            wide[:, 1 + y : 1 + y + self.rows, 1 + x : 1 + x + self.columns].flatten(1).T
            for y, x in AROUND.tolist()
        ]
        left, above, beside = shifted[4], shifted[2], shifted[3]
        median = torch.stack([left, above, beside]).median(0).values
        candidates = torch.stack([*shifted, median, torch.zeros_like(median)], 1)
        found = self._best(candidates, median)
        return self._best(found[:, None] + AROUND, median)

    def decided(self, vectors: Tensor, splits: bool) -> MotionField:
        """The field, with modes chosen in raster order: the hint of a block depends on the blocks before."""
        own = self._cost(self._blocks, vectors, BLOCK).tolist()
        mean = self._blocks.mean((1, 2), keepdim=True)
        flat = (INTRA_ACTIVITY * (self._blocks - mean).abs().sum((1, 2))).tolist()
        found = vectors.numpy().astype(np.int32)
        parts, part_costs = self._parts(vectors) if splits else (None, None)
        field = MotionField.still(self.rows * BLOCK, self.columns * BLOCK)
        hints = Hints(field.vectors, 0)
        for n in range(len(found)):
            row, column = divmod(n, self.columns)
            hints = Hints(field.vectors, row) if column == 0 else hints
            hint = np.array(hints.of(column, hints.left(column)), np.int32)
            bits = dict(MODE_BITS)
            bits[MotionMode.INTER] += _bits(found[n] - hint)
            differences = {
                MotionMode.SKIP: self._cost_of_one(n, hint),
                MotionMode.INTER: own[n],
                MotionMode.INTRA: flat[n],
            }
            if parts is not None and part_costs is not None:
                before = np.concatenate([hint[None], parts[n][:-1]])
                bits[MotionMode.SPLIT] += sum(_bits(v) for v in parts[n] - before)
                differences[MotionMode.SPLIT] = part_costs[n]
            mode = min(differences, key=lambda m: differences[m] + self.price * bits[m])
            place = field.vectors[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            field.modes[row, column] = mode
            if mode == MotionMode.SPLIT and parts is not None:
                place[:] = parts[n].reshape(2, 2, 2)
            elif mode != MotionMode.INTRA:
                place[:] = hint if mode == MotionMode.SKIP else found[n]
        return field

    def _parts(self, vectors: Tensor) -> tuple[Vectors, list[float]]:
        """(n, 4, 2) vectors of the parts of each block, refined from its own vector; and n costs."""
        blocks = self._cut(self.now, PART)
        wide = vectors.unflatten(0, (self.rows, self.columns))
        start = wide.repeat_interleave(2, 0).repeat_interleave(2, 1).flatten(0, 1)
        best, cost = start, self._cost(blocks, start, PART)
        for step in (UNITS, 2, 1):
            for away in AROUND[1:] * step:
                tried = best + away
                found = self._cost(blocks, tried, PART) + self.price
                better = found < cost
                best, cost = torch.where(better[:, None], tried, best), torch.minimum(found, cost)

        def by_block(v: Tensor) -> Tensor:
            grid = v.unflatten(0, (self.rows, 2, self.columns, 2))
            return grid.transpose(1, 2).flatten(2, 3).flatten(0, 1)

        return by_block(best).numpy().astype(np.int32), by_block(cost).sum(1).tolist()

    def _best(self, candidates: Tensor, median: Tensor | None = None) -> Tensor:
        """(n, 2) the best of (n, k, 2), by absolute differences and the bits of the difference to the median,
        or to zero without one."""
        limit = UNITS * (max(self.now.full.shape[2:]) + BEYOND)
        candidates = candidates.clamp(-min(limit, MAX_VECTOR), min(limit, MAX_VECTOR))
        base = candidates[:, :1] * 0 if median is None else median[:, None]
        costs = self.price * _bits_of(candidates - base)
        for k in range(candidates.shape[1]):
            costs[:, k] += self._cost(self._blocks, candidates[:, k], BLOCK)
        best = costs.argmin(1)
        return candidates[torch.arange(len(best)), best]

    def _cost(self, blocks: Tensor, vectors: Tensor, side: int) -> Tensor:
        """(n,) the sum of absolute differences of each block of `side` pixels at its vector."""
        planes = self.then.quarters
        height, width = planes.shape[1:]
        columns = self.columns * BLOCK // side
        at = torch.arange(len(blocks))
        top = at // columns * side + BEYOND + (vectors[:, 0] >> 2)
        left = at % columns * side + BEYOND + (vectors[:, 1] >> 2)
        phase = (vectors[:, 0] & 3) * UNITS + (vectors[:, 1] & 3)
        start = phase * height * width
        start += top.clamp(0, height - side) * width + left.clamp(0, width - side)
        ramp = torch.arange(side)
        index = start[:, None, None] + ramp[:, None] * width + ramp
        return (planes.flatten()[index] - blocks).abs_().sum((1, 2))

    def _cost_of_one(self, n: int, vector: Vectors) -> float:
        """The sum of absolute differences of block `n` at a vector."""
        planes, down, right = self._quarters_array, int(vector[0]), int(vector[1])
        row, column = divmod(n, self.columns)
        top = min(max(row * BLOCK + BEYOND + (down >> 2), 0), planes.shape[1] - BLOCK)
        left = min(max(column * BLOCK + BEYOND + (right >> 2), 0), planes.shape[2] - BLOCK)
        window = planes[(down & 3) * UNITS + (right & 3), top : top + BLOCK, left : left + BLOCK]
        return float(np.abs(window - self._blocks_array[n]).sum())


def _bits_of(away: Tensor) -> Tensor:
    """(...) estimated bits of vector differences (..., 2)."""
    return (1 + 2 * torch.log2(1 + away.abs().float())).sum(-1)


def _bits(away: Vectors) -> float:
    return float((1 + 2 * np.log2(1 + np.abs(away))).sum())

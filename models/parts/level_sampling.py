"""Subsampled planes: one position of every cell, which differs between groups of channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.entropy.schedule import Schedule


@dataclass(frozen=True)
class LevelSampling:
    """The positions of a level of a hierarchical schedule.

    Channels form as many equal groups as there are corners. For a plane that stacks several tensors, such as
    means and scales, the corners are repeated: see `__mul__`.
    """

    factor: int  # positions a side of a cell
    corners: tuple[tuple[int, int], ...]  # (row, column) in the cell, of each group

    @classmethod
    def of(cls, turns: Schedule, factor: int) -> LevelSampling:
        """The elements coded in `turns`. Raises ValueError unless each group has one position in a cell."""
        corners = []
        for group in range(len(turns[0].patterns)):
            patterns = [turn.patterns[group] for turn in turns]
            found = {
                (y % factor, x % factor)
                for pattern in patterns
                for y, row in enumerate(pattern)
                for x, cell in enumerate(row)
                if cell == "#"
            }
            if len(found) != 1:
                raise ValueError(f"group {group} has {len(found)} positions in a cell, not one")
            corners.append(found.pop())
        return cls(factor, tuple(corners))

    def __mul__(self, times: int) -> LevelSampling:
        """The sampling of a plane that stacks `times` tensors."""
        return LevelSampling(self.factor, self.corners * times)

    def within(self, finer: LevelSampling) -> LevelSampling:
        """These positions in the coordinates of a finer level that contains them."""
        corners = tuple((y // finer.factor, x // finer.factor) for y, x in self.corners)
        return LevelSampling(self.factor // finer.factor, corners)

    def take(self, plane: Tensor) -> Tensor:
        """(B, C, h, w), sides multiples of the factor, to (B, C, h / factor, w / factor)."""
        if self.factor == 1:
            return plane
        return torch.cat(list(self._views(plane)), 1)

    def put(self, plane: Tensor, level: Tensor) -> Tensor:
        """A copy of the plane with `level` (B, C, h / factor, w / factor) at the sampled positions."""
        plane = plane.clone()
        parts = level.chunk(len(self.corners), 1)
        for view, part in zip(self._views(plane), parts, strict=True):
            view.copy_(part)
        return plane

    def spread(self, level: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h * factor, w * factor): each value fills its cell."""
        return level.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)

    def _views(self, plane: Tensor) -> Iterator[Tensor]:
        size = plane.shape[1] // len(self.corners)
        for k, (y, x) in enumerate(self.corners):
            yield plane[:, k * size : (k + 1) * size, y :: self.factor, x :: self.factor]

"""Attention within shifted windows: the blocks of Swin Transformer V2.

A plane (B, C, h, w) of any size is cut into square windows, and every position attends to its own window.
Windows of every other block are shifted by half a side, so that positions separated in one block meet in the
next. The result depends on absolute positions only through the grid of windows.

Source: Liu et al., arXiv:2111.09883: similarity by the cosine, a bias by a small network of the log-spaced
distance, normalisation at the end of each residual branch.
Differs: no stochastic depth; sizes that windows do not fill are padded and the padding is masked, which for
shifted windows equals the masks of a cyclic shift; branches start small, not at zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPEST = math.log(100.0)  # largest natural logarithm of the factor of the cosine
SHARPNESS_START = math.log(10.0)
BIAS_WIDTH = 512  # of the network of the bias
BIAS_LIMIT = 16.0
FARTHEST = 8.0  # the distance of a side, before the logarithm
BRANCH_START = 0.1  # weight of the last normalisation of a branch: a block starts near the identity


@dataclass(frozen=True)
class WindowGrid:
    """Windows over (h, w) that start at `shift` plus multiples of `side`, in rows as in columns."""

    height: int
    width: int
    side: int
    shift: int = 0

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom."""
        before = -self.shift % self.side
        right, bottom = (-(size + before) % self.side for size in (self.width, self.height))
        return before, right, before, bottom

    @property
    def counts(self) -> tuple[int, int]:
        """Windows in a column, and in a row."""
        left, right, top, bottom = self.padding
        return (self.height + top + bottom) // self.side, (self.width + left + right) // self.side

    def split(self, x: Tensor) -> Tensor:
        """(B, h, w, C) to (B, windows, side * side, C), zero at padded places."""
        (rows, columns), side, channels = self.counts, self.side, x.shape[3]
        x = F.pad(x, (0, 0, *self.padding)) if any(self.padding) else x
        x = x.reshape(-1, rows, side, columns, side, channels).transpose(2, 3)
        return x.reshape(-1, rows * columns, side * side, channels)

    def join(self, windows: Tensor) -> Tensor:
        """Undo `split`."""
        (rows, columns), side, channels = self.counts, self.side, windows.shape[3]
        left, _, top, _ = self.padding
        x = windows.reshape(-1, rows, columns, side, side, channels).transpose(2, 3)
        x = x.reshape(-1, rows * side, columns * side, channels)
        return x[:, top : top + self.height, left : left + self.width]

    def penalty(self, device: torch.device) -> Tensor | None:
        """(windows, 1, 1, side * side): minus infinity at padded places; None without padding."""
        if not any(self.padding):
            return None
        zeros = torch.zeros(1, self.height, self.width, 1, device=device)
        outside = F.pad(zeros, (0, 0, *self.padding), value=-math.inf)
        height, width = outside.shape[1:3]
        return WindowGrid(height, width, self.side).split(outside)[0].transpose(1, 2)[:, None]


class LogSpacedBias(nn.Module):
    """The bias that attention adds for a distance: (heads, side**2, side**2), in 0..BIAS_LIMIT."""

    def __init__(self, side: int, heads: int) -> None:
        super().__init__()
        self.side = side
        self.widen = nn.Linear(2, BIAS_WIDTH)
        self.narrow = nn.Linear(BIAS_WIDTH, heads, bias=False)

    def forward(self) -> Tensor:
        side, device = self.side, self.widen.weight.device
        distance = torch.arange(1 - side, side, device=device)
        spaced = distance * (FARTHEST / max(side - 1, 1))
        spaced = spaced.sign() * torch.log2(spaced.abs() + 1) / math.log2(FARTHEST)
        pairs = torch.cartesian_prod(spaced, spaced).to(self.widen.weight.dtype)
        table = self.narrow(F.relu(self.widen(pairs)))  # ((2 side - 1)**2, heads)
        at = torch.arange(side, device=device)
        apart = at[:, None] - at + side - 1  # (side, side) of query and key, from 0
        index = apart[:, None, :, None] * (2 * side - 1) + apart[None, :, None, :]
        bias = table[index.reshape(side * side, side * side)].permute(2, 0, 1)
        return BIAS_LIMIT * torch.sigmoid(bias)


class CosineWindowAttention(nn.Module):
    """(B, windows, side**2, C) to the same shape: each position attends to its window."""

    def __init__(self, channels: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_value = nn.Linear(channels, 2 * channels)
        self.key = nn.Linear(channels, channels, bias=False)
        self.sharpness = nn.Parameter(torch.empty(heads, 1, 1))
        nn.init.constant_(self.sharpness, SHARPNESS_START)
        self.bias = LogSpacedBias(side, heads)
        self.leave = nn.Linear(channels, channels)

    def forward(self, x: Tensor, penalty: Tensor | None = None) -> Tensor:
        query, value = self.query_value(x).chunk(2, -1)
        key = self.key(x)
        query, key, value = (
            v.unflatten(-1, (self.heads, -1)).transpose(2, 3) for v in (query, key, value)
        )  # (B, windows, heads, side**2, C / heads)
        factor = torch.exp(self.sharpness.clamp(max=SHARPEST))
        likeness = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-1, -2)
        likeness = likeness * factor + self.bias()
        if penalty is not None:
            likeness = likeness + penalty
        found = likeness.softmax(-1).to(value.dtype) @ value
        return self.leave(found.transpose(2, 3).flatten(-2))


class SwinV2Block(nn.Module):
    """Attention in windows, then a channel MLP, both residual: (B, h, w, C) to the same shape."""

    def __init__(
        self, channels: int, heads: int, side: int, shift: int = 0, widening: int = 4
    ) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.attention = CosineWindowAttention(channels, heads, side)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, widening * channels)
        self.narrow = nn.Linear(widening * channels, channels)
        for norm in (self.norm1, self.norm2):
            nn.init.constant_(norm.weight, BRANCH_START)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        grid = WindowGrid(height, width, self.side, self.shift)
        found = grid.join(self.attention(grid.split(x), grid.penalty(x.device)))
        x = x + self.norm1(found)
        branch: Tensor = self.norm2(self.narrow(F.gelu(self.widen(x))))
        return x + branch


def shifts(depth: int, side: int) -> tuple[int, ...]:
    """The shifts of the windows of `depth` blocks: 0, half a side, 0, ..."""
    return tuple(side // 2 * (k % 2) for k in range(depth))


class SwinV2Group(nn.Module):
    """Blocks with a shortcut around all of them: (B, C, h, w) to the same shape."""

    def __init__(self, channels: int, depth: int, heads: int, side: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *[SwinV2Block(channels, heads, side, shift) for shift in shifts(depth, side)]
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.blocks(x.permute(0, 2, 3, 1))
        return x + found.permute(0, 3, 1, 2)

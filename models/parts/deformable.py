"""Deformable attention: every position attends to samples of the whole plane, taken at predicted offsets.

Each position has one sample. A small network predicts its offset from the neighbourhood of the position; keys
and values are interpolated at the shifted place.

Source: Xia et al., arXiv:2201.00520.
Differs: one sample per position and one group of offsets; no normalisation in the offset network and no
position bias, as in the figure of S2LIC (arXiv:2403.14471); a sample beyond the border takes the value of the
border. Coordinates refer to pixel centres, so planes of one row or one column need no special case.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FARTHEST_OFFSET = 2.0  # largest offset of a sample in rows and in columns, in positions


def sample_at(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(B, C, h, w) of x between positions, bilinear; rows and columns (B, h, w) count positions from 0."""
    height, width = x.shape[2:]
    grid = torch.stack(
        [(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1
    )  # -1 and 1 are the outer edges
    found = F.grid_sample(
        x.float(), grid.float(), mode="bilinear", padding_mode="border", align_corners=False
    )
    return found.to(x.dtype)


class OffsetNet(nn.Module):
    """(B, C, h, w) to (B, 2, h, w): the offset of each position's sample in rows and columns."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.leave = nn.Conv2d(channels, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        offset: Tensor = self.leave(F.gelu(self.around(x)))
        return FARTHEST_OFFSET * torch.tanh(offset.float())


class DeformableAttention(nn.Module):
    """(B, C, h, w) to the same shape, for any size."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Conv2d(channels, channels, 1)
        self.key_value = nn.Conv2d(channels, 2 * channels, 1)
        self.offset = OffsetNet(channels)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        query = self.query(x)
        down, right = self.offset(query).unbind(1)  # (B, h, w) each
        rows = torch.arange(height, device=x.device)[:, None] + down
        columns = torch.arange(width, device=x.device) + right
        key, value = self.key_value(sample_at(x, rows, columns)).chunk(2, 1)
        query, key, value = (self._by_head(v) for v in (query, key, value))
        found = F.scaled_dot_product_attention(query, key, value)
        found = found.transpose(2, 3).reshape(x.shape)
        result: Tensor = self.leave(found)
        return result

    def _by_head(self, v: Tensor) -> Tensor:
        """(B, C, h, w) to (B, heads, h * w, C / heads)."""
        return v.flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)

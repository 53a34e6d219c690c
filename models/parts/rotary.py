"""Rotary positions in two dimensions: pairs of channels are rotated by angles that grow with row and column.

Sources: Su et al., arXiv:2104.09864; in two dimensions, Heo et al., arXiv:2403.13298; for context attention
with learned bases, MLICv2, arXiv:2504.19119.
Differs from MLICv2: half of the pairs follow the row and half the column, and a base is kept as its logarithm.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

BASE = 10000.0  # where both bases start
LEAST_LOG_BASE = 0.0  # a base of one: all pairs have one angle


class RotaryPositions(nn.Module):
    """Rotates (..., C, h, w) by the row and column of each position; C is a multiple of 4.

    The product of a rotated query and a rotated key depends only on their distance in rows and columns.
    Channel i is the real part and channel i + C / 2 the imaginary part of a pair.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 4:
            raise ValueError(f"rotary positions turn channels by fours: {channels} are not")
        self.turns = channels // 4  # different angles, for rows and for columns
        self.log_base = nn.Parameter(torch.empty(2))
        nn.init.constant_(self.log_base, log(BASE))

    def forward(self, v: Tensor) -> Tensor:
        angle = self.angles(*v.shape[-2:])
        cosine, sine = angle.cos().to(v.dtype), angle.sin().to(v.dtype)
        real, imaginary = v.chunk(2, -3)
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], -3)

    def angles(self, height: int, width: int) -> Tensor:
        """(C / 2, h, w) radians: place * base ** -(i / turns), of rows, then of columns."""
        device = self.log_base.device
        power = torch.arange(self.turns, device=device) / self.turns
        speed = torch.exp(-self.log_base.float().clamp_min(LEAST_LOG_BASE)[:, None] * power)
        by_row = torch.arange(height, device=device) * speed[0, :, None]  # (turns, h)
        by_column = torch.arange(width, device=device) * speed[1, :, None]
        shape = self.turns, height, width
        return torch.cat([by_row[:, :, None].expand(shape), by_column[:, None].expand(shape)])

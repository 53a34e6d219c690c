"""Local attention in overlapped windows: each position sees the known positions in the window around it.

Source: the checkerboard attention of MLIC+ and MLIC++ (arXiv:2211.07273, arXiv:2307.15421).
Differs: every place of a window attends to the known places; in the source only known places do, and the others
weight all places equally. Rotary positions can replace the learned bias, as in MLICv2 (arXiv:2504.19119).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.rotary import RotaryPositions

# Logit of an unknown place: finite, so that the softmax is defined in a window without known places.
HIDDEN = -1e4
BIAS_START = 0.02  # standard deviation


class LocalAttention(nn.Module):
    """x (B, C, h, w) and its known positions (h, w) bool to a context (B, 2C, h, w).

    All places of a window attend to its known places, then one linear layer joins the places. Windows are
    centred on every position; beyond the edges nothing is known.
    """

    def __init__(self, channels: int, window: int, heads: int, rotary: bool = False) -> None:
        super().__init__()
        if channels % heads or not window % 2:
            raise ValueError(
                f"local attention: {channels} channels in {heads} heads, window {window}"
            )
        self.window, self.heads = window, heads
        self.enter = nn.LayerNorm(channels)
        self.project = nn.Linear(channels, 3 * channels)
        self.rotary = RotaryPositions(channels // heads) if rotary else None
        self.bias = None if rotary else nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        if self.bias is not None:
            nn.init.normal_(self.bias, std=BIAS_START)
        self.join = nn.Linear(channels * window**2, 2 * channels)
        self.leave = nn.Linear(2 * channels, 2 * channels)
        self.mix = nn.Sequential(
            nn.LayerNorm(2 * channels),
            nn.Linear(2 * channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, 2 * channels),
        )

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        found = self.attend(self.projected(x), known)
        joined = self.leave(self.join(found.reshape(batch, height * width, -1)))
        context = joined + self.mix(joined)
        return context.transpose(1, 2).reshape(batch, 2 * channels, height, width)

    def projected(self, x: Tensor) -> Tensor:
        """(3, B, heads, C / heads, h, w): queries, keys, values; rotated if positions are rotary."""
        batch, channels, height, width = x.shape
        all_three = self.project(self.enter(x.movedim(1, -1))).movedim(-1, 1)
        shape = batch, 3, self.heads, channels // self.heads, height, width
        queries, keys, values = all_three.reshape(shape).unbind(1)
        if self.rotary is not None:
            queries, keys = self.rotary(queries), self.rotary(keys)
        return torch.stack([queries, keys, values])

    def attend(self, projected: Tensor, known: Tensor) -> Tensor:
        """(B, h * w, heads, places, C / heads): the attention output of each place of each window."""
        queries, keys, values = (self._windows(v) for v in projected)
        logits = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
        if self.bias is not None:
            logits = logits + self.bias[self._distances()].permute(2, 0, 1)
        is_known = self._windows(known[None, None, None].to(values.dtype))  # (1, h*w, 1, places, 1)
        logits = torch.where(is_known.transpose(-2, -1) > 0, logits, HIDDEN)
        found: Tensor = logits.softmax(-1).to(values.dtype) @ values
        return found

    def _windows(self, v: Tensor) -> Tensor:
        """(B, heads, D, h, w) to (B, h * w, heads, places, D), zero beyond the edges."""
        batch, heads, depth = v.shape[:3]
        windows = F.unfold(v.flatten(1, 2), self.window, padding=self.window // 2)
        return windows.reshape(batch, heads, depth, self.window**2, -1).permute(0, 4, 1, 3, 2)

    def _distances(self) -> Tensor:
        """(places, places) the row of `bias` for each pair of a query's and a key's place."""
        assert self.bias is not None
        place = torch.arange(self.window**2, device=self.bias.device)
        row, column = place // self.window, place % self.window
        most = self.window - 1
        rows = row[:, None] - row + most
        return rows * (2 * self.window - 1) + column[:, None] - column + most

"""The state of a context, carried from turn to turn by attention within windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import Precise, pointwise


class StateAttention(nn.Module):
    """The next state (B, C, h, w): the attention of the context to the last state, plus the context.

    Queries come from the context, keys and values from the state; windows of `window` x `window` positions
    start at the top left. Planes are padded to whole windows, and the padding is masked.
    Source: the progressive context fusion of HPCM, arXiv:2507.19125.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.query = pointwise(channels, channels)
        self.key = pointwise(channels, channels)
        self.value = pointwise(channels, channels)
        self.direct = Precise(channels, channels)

    def forward(self, context: Tensor, state: Tensor) -> Tensor:
        height, width = state.shape[2:]
        found = F.scaled_dot_product_attention(
            self._windows(self.query(context)),
            self._windows(self.key(state)),
            self._windows(self.value(state)),
            attn_mask=self._mask(state),
        )
        return self._joined(found, height, width) + self.direct(context)

    def _windows(self, plane: Tensor) -> Tensor:
        """(B, C, h, w) to (B * windows, heads, window**2, C / heads), padded with zeros."""
        padding = [-side % self.window for side in plane.shape[2:]]
        if any(padding):
            plane = F.pad(plane, (0, padding[1], 0, padding[0]))
        batch, channels, height, width = plane.shape
        rows, columns = height // self.window, width // self.window
        split = plane.reshape(
            batch, self.heads, channels // self.heads, rows, self.window, columns, self.window
        )
        tokens = split.permute(0, 3, 5, 1, 4, 6, 2)  # (B, rows, columns, heads, window, window, d)
        return tokens.reshape(-1, self.heads, self.window**2, channels // self.heads)

    def _joined(self, tokens: Tensor, height: int, width: int) -> Tensor:
        """Undo `_windows`, without the padding."""
        rows, columns = (-(-side // self.window) for side in (height, width))
        size = tokens.shape[3]
        split = tokens.reshape(-1, rows, columns, self.heads, self.window, self.window, size)
        plane = split.permute(0, 3, 6, 1, 4, 2, 5).reshape(
            -1, self.heads * size, rows * self.window, columns * self.window
        )
        return plane[:, :, :height, :width]

    def _mask(self, state: Tensor) -> Tensor | None:
        """(B * windows, 1, 1, window**2) True where a key is not padding; None without padding."""
        batch, _, height, width = state.shape
        if height % self.window == 0 and width % self.window == 0:
            return None
        rows, columns = (-(-side // self.window) for side in (height, width))
        down = torch.arange(rows * self.window, device=state.device) < height
        across = torch.arange(columns * self.window, device=state.device) < width
        real = down.view(rows, 1, self.window, 1) & across.view(1, columns, 1, self.window)
        mask = real.reshape(1, -1, 1, 1, self.window**2)
        return mask.expand(batch, -1, 1, 1, -1).reshape(-1, 1, 1, self.window**2)

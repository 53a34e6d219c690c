"""Self-attention in fixed windows, and the attention block that is built around it.

Source: Zou, Song and Zhang, "The Devil Is in the Details: Window-based Attention for Image Compression",
arXiv:2203.08450. Relative position bias: Swin Transformer, arXiv:2103.14030.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.convolutions import ConvolutionalAttention

BIAS_START = 0.02  # standard deviation of the position bias
UNITS = 3  # residual units of a branch; each looks one position further


def partition(x: Tensor, window: int) -> Tensor:
    """(B, C, h, w), sides multiples of the window, to (B * windows, window * window, C), row by row."""
    batch, channels, height, width = x.shape
    cut = x.reshape(batch, channels, height // window, window, width // window, window)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, window * window, channels)


def assemble(tokens: Tensor, window: int, height: int, width: int) -> Tensor:
    """Undo `partition`, for a plane of `height` x `width`."""
    rows, columns, channels = height // window, width // window, tokens.shape[2]
    cut = tokens.reshape(-1, rows, columns, window, window, channels)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, height, width)


class AlignedWindowAttention(nn.Module):
    """x plus the self-attention of each window of x: (B, C, h, w) to the same shape.

    Windows begin at multiples of their side. Edges are repeated up to whole windows.
    Differs: the public code shifts the grid by half a window. Here it begins in the corner, so that all blocks
    of a picture have one grid.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.enter = nn.Linear(channels, 3 * channels)
        self.leave = nn.Linear(channels, channels)
        side = 2 * window - 1
        self.position_bias = nn.Parameter(torch.empty(heads, side, side))
        nn.init.normal_(self.position_bias, std=BIAS_START)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        padding = (0, -width % self.window, 0, -height % self.window)
        padded = F.pad(x, padding, mode="replicate") if any(padding) else x
        mixed = self._mixed(partition(padded, self.window))
        found = assemble(mixed, self.window, *padded.shape[2:])
        return x + found[..., :height, :width]

    def _mixed(self, tokens: Tensor) -> Tensor:
        """(windows, N, C) to the same shape."""
        count, size, channels = tokens.shape
        cut = self.enter(tokens).reshape(count, size, 3, self.heads, channels // self.heads)
        query, key, value = cut.permute(2, 0, 3, 1, 4)  # (windows, heads, N, C / heads) each
        bias = self._bias().to(query.dtype)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        found: Tensor = self.leave(mixed.transpose(1, 2).reshape(count, size, channels))
        return found

    def _bias(self) -> Tensor:
        """(heads, N, N) the bias for the distance of a query and a key in rows and columns."""
        at = torch.arange(self.window, device=self.position_bias.device)
        apart = at[:, None] - at + self.window - 1
        rows, columns = apart[:, None, :, None], apart[None, :, None, :]
        size = self.window * self.window
        return self.position_bias[:, rows, columns].reshape(self.heads, size, size)


class WindowAttentionBlock(ConvolutionalAttention):
    """x + a(x) * sigmoid(b(x)): residual units on each branch, window attention before the units of b.

    (B, C, h, w) to the same shape.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__(channels, "gelu")
        self.conv_b.insert(0, AlignedWindowAttention(channels, heads, window))

    @staticmethod
    def reach(window: int, stride: int) -> int:
        """Pixels that the block looks beyond a position, at most: one position for each unit, and a window."""
        return (window - 1 + UNITS) * stride

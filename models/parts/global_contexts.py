"""Global contexts of a channel slice: attention to distant positions, with weights from decoded slices.

Source: MLIC++, arXiv:2307.15421 (intra-slice and inter-slice global contexts).
Differs: a mask hides the keys of unknown positions, so that planes of any size work.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.blocks import depthwise, pointwise
from nacre.models.parts.linear_attention import LinearAttention

KERNEL = 5  # of the layer that joins attention outputs around a position


def joining(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, KERNEL, padding=KERNEL // 2)


def mixing(channels_in: int, width: int, channels_out: int) -> nn.Sequential:
    """A channel MLP with a depth-wise 3x3 layer in its middle."""
    return nn.Sequential(
        pointwise(channels_in, width),
        nn.GELU(),
        depthwise(width),
        nn.GELU(),
        pointwise(width, channels_out),
    )


class GlobalContextWithinSlice(nn.Module):
    """A context for the second half of a slice from its first half: two (B, C, h, w) to (B, 2C, h, w).

    The previous slice is fully decoded. In it, positions of the second half attend to positions of the first
    half; the attention weights then sum the first half of the current slice. Correlations within the previous
    slice stand in for correlations within the current slice.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = LinearAttention(channels, heads)
        self.join = joining(channels, 2 * channels)
        self.mix = mixing(2 * channels, 4 * channels, 2 * channels)

    def forward(self, before: Tensor, current: Tensor, first: Tensor) -> Tensor:
        """`first` (h, w) bool: the positions of the first half; `current` is zero elsewhere."""
        found = self.attention(before * ~first, before * first, current, first) * ~first
        joined = self.join(found)
        context: Tensor = joined + self.mix(joined)
        return context


class GlobalContextBetweenSlices(nn.Module):
    """Self-attention over all earlier slices: (B, I, h, w) to (B, 2C, h, w)."""

    def __init__(self, channels_in: int, channels: int, heads: int) -> None:
        super().__init__()
        self.attention = LinearAttention(channels_in, heads)
        self.join = joining(channels_in, 3 * channels)
        self.mix = mixing(3 * channels, 4 * channels, 2 * channels)
        self.bypass = pointwise(3 * channels, 2 * channels)

    def forward(self, before: Tensor) -> Tensor:
        everywhere = torch.ones(before.shape[2:], dtype=torch.bool, device=before.device)
        joined = self.join(self.attention(before, before, before, everywhere))
        context: Tensor = self.bypass(joined) + self.mix(joined)
        return context

"""Attention over all positions at a cost that grows linearly with their number.

Source: Shen et al., arXiv:1812.01243, as MLIC++ uses it (arXiv:2307.15421).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.blocks import depthwise, pointwise

# Logit of a hidden position: finite, so that the softmax is defined even where all positions are hidden.
HIDDEN = -1e4


def linear_attention(
    queries: Tensor, keys: Tensor, values: Tensor, heads: int, seen: Tensor
) -> Tensor:
    """Three (B, C, h, w) to one of the same shape; `seen` (h, w) bool marks the positions of keys and values.

    The weight of position r for position p is sum_i q_i(p) k_i(r), where q is a softmax over the channels of a
    head and k a softmax over the positions: weights are positive and sum to one. Values are first summed with
    the weights k, so that no matrix of positions by positions is made.
    """
    batch, channels, height, width = queries.shape
    shape = batch, heads, channels // heads, height * width
    logits = torch.where(seen, keys, HIDDEN)
    k = logits.reshape(shape).softmax(3).to(values.dtype)
    q = queries.reshape(shape).softmax(2).to(values.dtype)
    gathered = values.reshape(shape) @ k.transpose(2, 3)  # (B, heads, D of values, D of keys)
    found: Tensor = gathered @ q
    return found.reshape(batch, channels, height, width)


def projection(channels: int) -> nn.Sequential:
    """Pointwise, then depth-wise 3x3: (B, C, h, w) to the same shape."""
    return nn.Sequential(pointwise(channels, channels), depthwise(channels))


class LinearAttention(nn.Module):
    """Linear attention with projections: three (B, C, h, w) to one, see `linear_attention`."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"linear attention: {channels} channels in {heads} heads")
        self.heads = heads
        self.queries, self.keys = projection(channels), projection(channels)
        self.values = projection(channels)

    def forward(self, asks: Tensor, answers: Tensor, values: Tensor, seen: Tensor) -> Tensor:
        q, k, v = self.queries(asks), self.keys(answers), self.values(values)
        return linear_attention(q, k, v, self.heads, seen)

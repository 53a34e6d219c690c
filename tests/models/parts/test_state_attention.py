"""Attention to the state within windows, against loops over windows, heads and queries."""

from __future__ import annotations

import math

import pytest
import torch

from nacre.models.parts.state_attention import StateAttention


def at(layer, plane, y, x):
    """(C,) a pointwise layer at one position."""
    return layer.weight[..., 0, 0] @ plane[:, y, x] + layer.bias


def naive(attention, context, state):
    """Of planes (C, h, w)."""
    channels, height, width = state.shape
    size, window = channels // attention.heads, attention.window
    found = torch.zeros_like(state)
    for y in range(height):
        for x in range(width):
            top, left = y // window * window, x // window * window
            keys = [
                (v, u)
                for v in range(top, min(top + window, height))
                for u in range(left, min(left + window, width))
            ]
            query = at(attention.query, context, y, x)
            for head in range(attention.heads):
                own = slice(head * size, (head + 1) * size)
                scores = torch.stack(
                    [
                        query[own] @ at(attention.key, state, *key)[own] / math.sqrt(size)
                        for key in keys
                    ]
                )
                values = torch.stack([at(attention.value, state, *key)[own] for key in keys])
                found[own, y, x] = torch.softmax(scores, 0) @ values
            found[:, y, x] += at(attention.direct, context, y, x)
    return found


@pytest.mark.parametrize("size", [(4, 4), (6, 4), (1, 1), (5, 7)])
def test_it_is_attention_within_windows_and_never_to_the_padding(size):
    torch.manual_seed(0)
    attention = StateAttention(6, heads=3, window=4).requires_grad_(False)
    context, state = 2 * torch.randn(2, 6, *size), 2 * torch.randn(2, 6, *size)
    found = attention(context, state)
    for k in range(2):
        assert torch.allclose(found[k], naive(attention, context[k], state[k]), atol=1e-5)

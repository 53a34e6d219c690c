"""Linear attention is attention by its definition: a matrix of weights, positions by positions."""

from __future__ import annotations

import pytest
import torch

from nacre.models.parts.linear_attention import LinearAttention, linear_attention

HEADS, DEPTH, SIDES = 2, 3, (3, 5)


def weights(queries: torch.Tensor, keys: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """(HEADS, positions, positions) of one picture, by loops over heads and keys of seen positions."""
    positions = seen.numel()
    found = torch.zeros(HEADS, positions, positions, dtype=torch.double)
    where = seen.flatten().nonzero()[:, 0].tolist()
    for head in range(HEADS):
        own = slice(head * DEPTH, (head + 1) * DEPTH)
        q = queries[own].flatten(1).softmax(0)
        for channel, row in enumerate(keys[own].flatten(1)):
            k = torch.exp(row[where]) / torch.exp(row[where]).sum()
            for n, position in enumerate(where):
                found[head, :, position] += q[channel] * k[n]
    return found


def test_it_is_a_matrix_of_weights_times_the_values():
    queries, keys, values = torch.randn(3, HEADS * DEPTH, *SIDES, dtype=torch.double)
    seen = torch.rand(SIDES) < 0.6
    matrix = weights(queries, keys, seen)
    assert torch.allclose(matrix.sum(2), torch.ones(()).double())
    want = torch.cat(
        [
            values[h * DEPTH : (h + 1) * DEPTH].flatten(1) @ matrix[h].T
            for h in range(HEADS)
        ]
    ).reshape(values.shape)  # fmt: skip
    found = linear_attention(queries[None], keys[None], values[None], HEADS, seen)[0]
    assert torch.allclose(found, want)


def test_hidden_positions_do_not_matter():
    queries, keys, values = torch.randn(3, 1, HEADS * DEPTH, *SIDES)
    seen = torch.rand(SIDES) < 0.6
    found = linear_attention(queries, keys, values, HEADS, seen)
    noise = torch.randn_like(keys) * ~seen
    assert torch.equal(linear_attention(queries, keys + noise, values + noise, HEADS, seen), found)


def test_nothing_seen_is_finite():
    v = torch.randn(1, 4, 1, 1)
    assert linear_attention(v, v, v, 2, torch.zeros(1, 1, dtype=torch.bool)).isfinite().all()


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match="5 channels in 2 heads"):
        LinearAttention(5, 2)

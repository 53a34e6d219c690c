"""Attention in windows is that of a loop over them, and looks no further than it says."""

from __future__ import annotations

import torch

from nacre.models.parts.window_attention import (
    AlignedWindowAttention,
    WindowAttentionBlock,
    assemble,
    partition,
)


def by_loops(layer, x):
    """Window by window, head by head, query by query."""
    channels, width = x.shape[1], x.shape[1] // layer.heads
    size, found = layer.window, x.clone()
    for top in range(0, x.shape[2], size):
        for left in range(0, x.shape[3], size):
            cells = [(r, c) for r in range(top, top + size) for c in range(left, left + size)]
            tokens = torch.stack([x[0, :, r, c] for r, c in cells])
            query, key, value = layer.enter(tokens).split(channels, 1)
            mixed = torch.zeros_like(tokens)
            for head in range(layer.heads):
                own = slice(head * width, (head + 1) * width)
                for i, (r, c) in enumerate(cells):
                    likeness = torch.stack(
                        [
                            query[i, own] @ key[j, own] / width**0.5
                            + layer.position_bias[head, r - s + size - 1, c - d + size - 1]
                            for j, (s, d) in enumerate(cells)
                        ]
                    )
                    mixed[i, own] = likeness.softmax(0) @ value[:, own]
            for (r, c), token in zip(cells, layer.leave(mixed), strict=True):
                found[0, :, r, c] += token
    return found


def some_layer(window=3):
    torch.manual_seed(0)
    layer = AlignedWindowAttention(8, 2, window)
    torch.nn.init.normal_(layer.position_bias)
    return layer


@torch.inference_mode()
def test_attention_is_that_of_a_loop_over_windows():
    layer = some_layer()
    x = torch.randn(1, 8, 6, 9)
    assert torch.allclose(layer(x), by_loops(layer, x), atol=1e-5)


@torch.inference_mode()
def test_edges_are_repeated_up_to_whole_windows():
    layer = some_layer()
    x = torch.randn(1, 8, 4, 1)
    repeated = torch.nn.functional.pad(x, (0, 2, 0, 2), mode="replicate")
    assert torch.allclose(layer(x), by_loops(layer, repeated)[..., :4, :1], atol=1e-5)


def test_windows_are_put_back():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    assert torch.equal(assemble(partition(x, 2), 2, 4, 6), x)
    assert torch.equal(partition(x, 2)[0], x[0, :, :2, :2].flatten(1).T)


def test_a_block_looks_no_further_than_its_reach():
    torch.manual_seed(0)
    block, window = WindowAttentionBlock(4, 2, 3), 3
    reach = WindowAttentionBlock.reach(window, 1)
    x = torch.randn(1, 4, 40, 1).expand(1, 4, 40, 40).clone().requires_grad_()
    lows, highs = [], []
    for at in range(18, 18 + window):
        (gradient,) = torch.autograd.grad(block(x)[0, :, at, at].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        lows.append(at - int(rows.min()))
        highs.append(int(rows.max()) - at)
    assert max(lows) == max(highs) == reach

"""Local attention is attention in a window around each position, written here as loops."""

from __future__ import annotations

import pytest
import torch

from nacre.models.parts.local_attention import LocalAttention

CHANNELS, WINDOW, HEADS, DEPTH = 8, 3, 2, 4


def attention(rotary: bool) -> LocalAttention:
    torch.manual_seed(0)
    return LocalAttention(CHANNELS, WINDOW, HEADS, rotary).double().requires_grad_(False)


def checkerboard(height: int, width: int) -> torch.Tensor:
    return (torch.arange(height)[:, None] + torch.arange(width)) % 2 == 1


def bias_of(net: LocalAttention, rows: int, columns: int, head: int) -> float:
    """Of a query so many rows and columns below and right of its key."""
    assert net.bias is not None
    span = 2 * WINDOW - 1
    return float(net.bias[(rows + WINDOW - 1) * span + columns + WINDOW - 1, head])


def window(v: torch.Tensor, top: int, left: int) -> torch.Tensor:
    """(places, D) of (h, w, D) around a position, zero beyond the edges."""
    edge = WINDOW // 2
    found = torch.zeros(WINDOW, WINDOW, v.shape[2], dtype=v.dtype)
    for i in range(WINDOW):
        for j in range(WINDOW):
            row, column = top + i - edge, left + j - edge
            if 0 <= row < v.shape[0] and 0 <= column < v.shape[1]:
                found[i, j] = v[row, column]
    return found.flatten(0, 1)


def turned(net: LocalAttention, v: torch.Tensor) -> torch.Tensor:
    """(places, D) by their places in the window: only distances count."""
    if net.rotary is None:
        return v
    return net.rotary(v.T.reshape(-1, WINDOW, WINDOW)).flatten(1).T


def naive(net: LocalAttention, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    height, width = known.shape
    all_three = net.project(net.enter(x[0].movedim(0, -1)))  # (h, w, 3C)
    found = torch.zeros(height, width, HEADS, WINDOW**2, DEPTH, dtype=torch.double)
    for top in range(height):
        for left in range(width):
            seen = window(known[..., None], top, left)[:, 0].nonzero()[:, 0].tolist()
            parts = window(all_three, top, left).reshape(-1, 3, HEADS, DEPTH)
            for head in range(HEADS):
                queries, keys = (turned(net, parts[:, which, head]) for which in (0, 1))
                for place in range(WINDOW**2):
                    logits = [queries[place] @ keys[key] / DEPTH**0.5 for key in seen]
                    if net.bias is not None:
                        logits = [
                            logit + bias_of(net, place // 3 - key // 3, place % 3 - key % 3, head)
                            for logit, key in zip(logits, seen, strict=True)
                        ]
                    for weight, key in zip(torch.stack(logits).softmax(0), seen, strict=True):
                        found[top, left, head, place] += weight * parts[key, 2, head]
    joined = net.leave(net.join(found.flatten(2)))
    return (joined + net.mix(joined)).movedim(-1, 0)[None]


@pytest.mark.parametrize("rotary", [False, True])
def test_it_is_attention_in_every_window(rotary):
    net, known = attention(rotary), checkerboard(3, 4)
    x = torch.randn(1, CHANNELS, 3, 4, dtype=torch.double) * known
    assert torch.allclose(net(x, known), naive(net, x, known))


def test_a_window_looks_no_further_than_its_half():
    net, known = attention(False), checkerboard(5, 5)
    x = torch.randn(1, CHANNELS, 5, 5, dtype=torch.double) * known
    other = x.clone()
    other[:, :, 0, 1] += 1
    changed = (net(x, known) != net(other, known)).any(1)[0]
    wanted = torch.zeros(5, 5, dtype=torch.bool)
    wanted[:2, :3] = True
    assert torch.equal(changed, wanted)


def test_nothing_known_is_finite():
    net = attention(True)
    x = torch.zeros(2, CHANNELS, 1, 1, dtype=torch.double)
    assert net(x, torch.zeros(1, 1, dtype=torch.bool)).isfinite().all()


@pytest.mark.parametrize(("channels", "window"), [(7, 3), (8, 4)])
def test_impossible_shapes_are_refused(channels, window):
    with pytest.raises(ValueError, match="local attention"):
        LocalAttention(channels, window, 2)

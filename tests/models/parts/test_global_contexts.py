"""Global contexts gather by the attention map of decoded slices, and see only what is decoded."""

from __future__ import annotations

import torch

from nacre.models.parts.global_contexts import (
    GlobalContextBetweenSlices,
    GlobalContextWithinSlice,
)

CHANNELS, HEADS, SIDES = 4, 2, (3, 4)
FIRST = (torch.arange(SIDES[0])[:, None] + torch.arange(SIDES[1])) % 2 == 1


def plane(channels: int = CHANNELS) -> torch.Tensor:
    return torch.randn(1, channels, *SIDES, dtype=torch.double)


def gathered(queries, keys, values, asking, answering):
    """Weights sum_i q_i(p) k_i(r) of each head, over lists of positions; zero where nobody asks."""
    found = torch.zeros_like(values)
    for start in range(0, values.shape[1], values.shape[1] // HEADS):
        own = slice(start, start + values.shape[1] // HEADS)
        k = torch.stack([keys[0, own, r, c] for r, c in answering]).softmax(0)
        v = torch.stack([values[0, own, r, c] for r, c in answering])
        for row, column in asking:
            weight = k @ queries[0, own, row, column].softmax(0)
            found[0, own, row, column] = weight @ v
    return found


def test_within_a_slice_the_slice_before_lends_its_map():
    net = GlobalContextWithinSlice(CHANNELS, HEADS).double().requires_grad_(False)
    before, current = plane(), plane() * FIRST
    found = gathered(
        net.attention.queries(before * ~FIRST),
        net.attention.keys(before * FIRST),
        net.attention.values(current),
        (~FIRST).nonzero().tolist(),
        FIRST.nonzero().tolist(),
    )
    joined = net.join(found)
    assert torch.allclose(net(before, current, FIRST), joined + net.mix(joined))


def test_between_slices_all_positions_ask_all():
    net = GlobalContextBetweenSlices(2 * CHANNELS, CHANNELS, HEADS).double().requires_grad_(False)
    before, everywhere = plane(2 * CHANNELS), torch.ones(SIDES).nonzero().tolist()
    parts = (net.attention.queries, net.attention.keys, net.attention.values)
    found = gathered(*(part(before) for part in parts), everywhere, everywhere)
    joined = net.join(found)
    assert torch.allclose(net(before), net.bypass(joined) + net.mix(joined))
    assert net(before).shape == (1, 2 * CHANNELS, *SIDES)

"""Looking up a dictionary is what a loop over positions and entries says; the module has the published size."""

from __future__ import annotations

import torch

from nacre.models.parts.dictionary import DictionaryAttention, DictionaryLookup
from nacre.models.parts.unfilled import unfilled


def by_loops(layer, x, entries):
    width = x.shape[1] // layer.heads
    entries = layer.norm(entries)
    keys, query, read = layer.key(entries), layer.query(x), torch.zeros_like(x)
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            for head in range(layer.heads):
                own = slice(head * width, (head + 1) * width)
                of_entry = [query[0, own, row, column] @ key[own] for key in keys]
                share = (torch.stack(of_entry) * layer.sharpness[head, 0, 0]).softmax(0)
                read[0, own, row, column] = share @ entries[:, own]
    return layer.leave(read)


@torch.inference_mode()
def test_positions_look_up_entries():
    torch.manual_seed(0)
    layer, entries, x = DictionaryLookup(12, 3), torch.randn(5, 12), torch.randn(1, 12, 2, 4)
    torch.nn.init.uniform_(layer.sharpness, 0.5, 2)
    assert torch.allclose(layer(x, entries), by_loops(layer, x, entries), atol=1e-5)


@torch.inference_mode()
def test_the_order_of_entries_is_nothing():
    torch.manual_seed(0)
    layer, entries, x = (
        DictionaryAttention(6, 4, 12, 3),
        torch.randn(5, 12),
        torch.randn(2, 6, 3, 1),
    )
    found = layer(x, entries)
    assert found.shape == (2, 4, 3, 1)
    assert torch.allclose(layer(x, entries.flip(0)), found, atol=1e-6)
    assert not torch.allclose(layer(x, entries[:4]), found, atol=1e-3)


def test_the_module_has_the_published_size():
    """8,856,758: counted in the public code of DCAE, for its first slice (640 features)."""
    with unfilled():
        layer = DictionaryAttention(640, 320, 640, 20)
    assert sum(p.numel() for p in layer.parameters()) == 8_856_758

"""Deformable attention is what its definition says: one query and one sample at a time."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from nacre.models.parts.deformable import FARTHEST_OFFSET, DeformableAttention, sample_at
from nacre.models.parts.unfilled import unfilled

SIZES = [(1, 1), (1, 5), (4, 3), (6, 7)]


def bilinear(x, row, column):
    """(C,) of x (C, h, w) between four positions; those beyond the border are those of the border."""
    height, width = x.shape[1:]
    row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    found = torch.zeros(x.shape[0])
    for r in (top, top + 1):
        for c in (left, left + 1):
            weight = (1 - abs(row - r)) * (1 - abs(column - c))
            if weight > 0:
                found += weight * x[:, r, c]
    return found


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_samples_lie_between_positions(size):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, 3, *size, generator=rng)
    rows, columns = (8 * torch.rand(1, *size, generator=rng) - 2 for _ in range(2))
    found = sample_at(x, rows, columns)
    for r in range(size[0]):
        for c in range(size[1]):
            want = bilinear(x[0], rows[0, r, c].item(), columns[0, r, c].item())
            assert torch.allclose(found[0, :, r, c], want, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_every_query_looks_at_all_moved_samples(size):
    torch.manual_seed(0)
    module = DeformableAttention(6, heads=2)
    module.offset.leave.weight.normal_()
    x = 3 * torch.randn(1, 6, *size)
    height, width = size
    query = module.query(x)
    offset = FARTHEST_OFFSET * torch.tanh(module.offset.leave(F.gelu(module.offset.around(query))))
    samples = [
        bilinear(x[0], r + offset[0, 0, r, c].item(), c + offset[0, 1, r, c].item())
        for r in range(height)
        for c in range(width)
    ]
    weight, constant = module.key_value.weight[..., 0, 0], module.key_value.bias
    keys, values = torch.stack([weight @ s + constant for s in samples]).chunk(2, 1)
    want = torch.zeros(6, height, width)
    for r in range(height):
        for c in range(width):
            for part in (slice(0, 3), slice(3, 6)):
                logits = keys[:, part] @ query[0, part, r, c] / math.sqrt(3)
                want[part, r, c] = logits.softmax(0) @ values[:, part]
    assert torch.allclose(module(x), module.leave(want[None]), atol=1e-4)


def test_samples_move_with_what_is_there():
    """Offsets get gradients: what a sample finds depends on where it is."""
    torch.manual_seed(0)
    module = DeformableAttention(6, heads=2)
    module(torch.randn(1, 6, 5, 5)).square().sum().backward()
    assert module.offset.leave.weight.grad.abs().sum() > 0


def test_shapes_are_known_without_numbers():
    with unfilled():
        assert DeformableAttention(6, 2)(torch.empty(2, 6, 3, 5)).shape == (2, 6, 3, 5)

"""Attention in shifted windows is what its definition says, position by position, for any size."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from nacre.models.parts.swin import SwinV2Block, SwinV2Group, WindowGrid, shifts
from nacre.models.parts.unfilled import unfilled

SIDE, CHANNELS, HEADS = 4, 6, 2
SIZES = [(1, 1), (3, 5), (4, 8), (9, 6), (2, 11)]


def spaced(distance):
    """Log-spaced, in -1..1: a side apart is 1 before rounding to pixels of the window."""
    x = 8 * distance / (SIDE - 1)
    return math.copysign(math.log2(abs(x) + 1) / 3, x)


def bias(module, apart):
    """(heads,) by the network at one distance."""
    point = torch.tensor([spaced(apart[0]), spaced(apart[1])])
    hidden = F.relu(module.widen.weight @ point + module.widen.bias)
    return 16 * torch.sigmoid(module.narrow.weight @ hidden)


def attended(attention, x, shift):
    """(h, w, C): one position at a time, over those in its window."""
    height, width = x.shape[:2]
    query, value = attention.query_value(x).chunk(2, -1)
    key = attention.key(x)
    found = torch.zeros_like(x)
    for r in range(height):
        for c in range(width):
            home = (r - shift) // SIDE, (c - shift) // SIDE
            others = [
                (i, j)
                for i in range(height)
                for j in range(width)
                if ((i - shift) // SIDE, (j - shift) // SIDE) == home
            ]
            for head in range(HEADS):
                part = slice(head * CHANNELS // HEADS, (head + 1) * CHANNELS // HEADS)
                logits = torch.stack(
                    [
                        F.cosine_similarity(query[r, c, part], key[i, j, part], dim=0)
                        * attention.sharpness[head, 0, 0].exp()
                        + bias(attention.bias, (r - i, c - j))[head]
                        for i, j in others
                    ]
                )
                weights = logits.softmax(0)
                for weight, (i, j) in zip(weights, others, strict=True):
                    found[r, c, part] += weight * value[i, j, part]
    return attention.leave(found)


def block(shift):
    torch.manual_seed(0)
    made = SwinV2Block(CHANNELS, HEADS, SIDE, shift)
    with torch.no_grad():
        for name, p in made.named_parameters():
            if "bias.narrow" in name or "sharpness" in name:
                p.normal_()
    return made


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [0, SIDE // 2])
@torch.no_grad()
def test_a_block_is_attention_in_windows_and_an_mlp(size, shift):
    made, x = block(shift), torch.randn(1, *size, CHANNELS)
    want = x + made.norm1(attended(made.attention, x[0], shift)[None])
    want = want + made.norm2(made.narrow(F.gelu(made.widen(want))))
    assert torch.allclose(made(x), want, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_windows_are_joined_as_they_were_split(size, shift):
    x = torch.randn(2, *size, 3)
    grid = WindowGrid(*size, SIDE, shift)
    assert torch.equal(grid.join(grid.split(x)), x)


@torch.no_grad()
def test_the_place_of_a_picture_is_that_of_its_windows():
    """Moved by a window, features move along; moved by one position, they change."""
    torch.manual_seed(0)
    group = SwinV2Group(CHANNELS, 2, HEADS, SIDE)
    x = torch.randn(1, CHANNELS, 24, 24)
    whole = group(x)[..., 12:16, 12:16]
    assert torch.allclose(group(x[..., SIDE:, SIDE:])[..., 8:12, 8:12], whole, atol=1e-6)
    assert not torch.allclose(group(x[..., 1:, 1:])[..., 11:15, 11:15], whole, atol=1e-3)


def test_shifts_alternate():
    assert shifts(3, 8) == (0, 4, 0)


def test_shapes_are_known_without_numbers():
    with unfilled():
        assert SwinV2Group(CHANNELS, 2, HEADS, SIDE)(torch.empty(2, CHANNELS, 5, 7)).shape == (
            2,
            6,
            5,
            7,
        )


def test_autocast_is_close():
    torch.manual_seed(0)
    group, x = SwinV2Group(CHANNELS, 2, HEADS, SIDE), torch.randn(1, CHANNELS, 5, 7)
    with torch.autocast("cpu", torch.bfloat16):
        found = group(x)
    assert (found - group(x)).abs().max() < 0.05

"""The scale affine layer is a product and a sum at every position."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from nacre.models.parts.scale_affine import SCALE_LIMIT, ScaleAffine


@torch.no_grad()
def test_a_position_is_scaled_and_shifted_by_a_network_of_itself():
    torch.manual_seed(0)
    layer, x = ScaleAffine(4), torch.randn(1, 4, 3, 2)
    enter, leave = (v.weight[..., 0, 0] for v in (layer.enter, layer.leave))
    for row in range(3):
        for column in range(2):
            at = x[0, :, row, column]
            found = leave @ F.gelu(enter @ at + layer.enter.bias) + layer.leave.bias
            want = at * (1 + found[:4]) + found[4:]
            assert torch.allclose(layer(x)[0, :, row, column], want, atol=1e-6)


@torch.no_grad()
def test_the_scale_is_bounded():
    layer = ScaleAffine(2)
    torch.nn.init.constant_(layer.leave.weight, 1e6)
    torch.nn.init.zeros_(layer.leave.bias)
    torch.nn.init.constant_(layer.enter.bias, 10.0)
    shift = layer.leave(F.gelu(layer.enter(torch.ones(1, 2, 1, 1))))[:, 2:]
    assert torch.allclose(layer(torch.ones(1, 2, 1, 1)), 1 + SCALE_LIMIT + shift)

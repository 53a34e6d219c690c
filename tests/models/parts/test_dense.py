"""Dense convolutions see everything before them; the enhancement adds a share of what they find."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from nacre.models.parts.dense import REACH, DenseConvolutions, DenseEnhancement


@torch.no_grad()
def test_each_convolution_sees_the_input_and_all_outputs_before_it():
    torch.manual_seed(0)
    dense, x = DenseConvolutions(3, 7, 4), torch.randn(1, 3, 6, 5)
    outputs = []
    for k, layer in enumerate(dense.layers):
        found = layer.bias[None, :, None, None]
        start = 0
        for source in (x, *outputs):  # a convolution for each source, added up
            stop = start + source.shape[1]
            found = found + F.conv2d(source, layer.weight[:, start:stop], padding=1)
            start = stop
        assert start == layer.in_channels
        outputs.append(found if k == 4 else torch.where(found > 0, found, 0.2 * found))
    assert torch.allclose(dense(x), outputs[-1], atol=1e-5)


@torch.no_grad()
def test_the_enhancement_adds_a_fifth_of_its_branch_and_starts_near_nothing():
    torch.manual_seed(0)
    module, x = DenseEnhancement(3, 8, 4), torch.rand(1, 3, 40, 40)
    assert torch.allclose(module(x), x + 0.2 * module.branch(x))
    assert (module(x) - x).abs().max() < 0.01


@torch.no_grad()
def test_the_reach_is_that_of_its_kernels():
    torch.manual_seed(0)
    module = DenseEnhancement(3, 8, 4).double()
    x = torch.rand(1, 3, 41, 41, dtype=torch.float64)
    other = x.clone()
    other[..., 20, 20] += 1
    changed = (module(x) != module(other)).any(1)[0].nonzero()
    assert changed.min() == 20 - REACH and changed.max() == 20 + REACH

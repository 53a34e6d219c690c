"""Latent residual prediction: its formula, its bound and its sizes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from nacre.models.parts.residual_prediction import ResidualPrediction
from nacre.models.parts.unfilled import unfilled


def test_it_is_half_the_tanh_of_three_convolutions():
    torch.manual_seed(0)
    layer, x = ResidualPrediction(5, 2, widths=(6, 4)), torch.randn(2, 5, 7, 3)
    h = x
    for number, conv in enumerate((layer[0], layer[2], layer[4])):
        assert conv.kernel_size == (5, 5)
        h = F.conv2d(h if number == 0 else h.clamp(min=0), conv.weight, conv.bias, padding=2)
    want = 0.5 * (h.exp() - (-h).exp()) / (h.exp() + (-h).exp())
    assert torch.allclose(layer(x), want, atol=1e-6)


def test_no_residual_is_larger_than_half_a_step():
    layer = ResidualPrediction(3, 3, widths=(4, 4))
    found = layer(1e6 * torch.randn(1, 3, 5, 5))
    assert found.isfinite().all() and found.abs().max() <= 0.5


def test_kernel_activation_and_widths_are_options():
    """Of MLIC++: 3x3 and GELU; counted in its published code, of 352 channels to 32."""
    with unfilled():
        layer = ResidualPrediction(352, 32, 3, "gelu")
        assert sum(p.numel() for p in layer.parameters()) == 1_004_928
        assert isinstance(layer[1], torch.nn.GELU)

"""The fast form of a packet with a pointwise layer gives what the plain one gives."""

from __future__ import annotations

import pytest
import torch

from nacre.models.parts.lifted_packet import lifted_packet, packet_and_project
from nacre.models.parts.wavelets import WAVELETS


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("size", [(9, 10), (60, 9), (9, 60), (10, 31), (1, 40), (3, 3)])
def test_both_forms_agree(wavelet, levels, size):
    """Everywhere, borders included; in pieces, and where a picture is smaller than the filters."""
    torch.manual_seed(0)
    factor = 2**levels
    x = torch.rand(2, 3, *(side * factor for side in size))
    weight, bias = torch.randn(5, 3 * factor**2, 1, 1), torch.randn(5)
    want = packet_and_project(x, weight, bias, wavelet, levels)
    laid_out = x.contiguous(memory_format=torch.channels_last)
    for picture in (x, laid_out, x.transpose(2, 3).contiguous().transpose(2, 3)):
        found = lifted_packet(picture, weight, bias, wavelet, levels)
        assert found.shape == want.shape
        assert (found - want).abs().max() < 1e-5 * want.abs().max()


def test_gradients_agree():
    x, weight, bias = torch.rand(1, 3, 96, 80), torch.randn(4, 192, 1, 1), torch.randn(4)
    gradients = []
    for packet in (packet_and_project, lifted_packet):
        learned = weight.clone().requires_grad_()
        packet(x, learned, bias, "9/7", 3).square().mean().backward()
        gradients.append(learned.grad)
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-4)

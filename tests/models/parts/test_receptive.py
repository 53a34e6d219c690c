"""What a chain of layers is said to need is what changes its output."""

from __future__ import annotations

import doctest

import pytest
import torch
from torch import nn

from nacre.models.parts import receptive
from nacre.models.parts.swin import SwinV2Block

WINDOW = 4


class Windowed(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.block = SwinV2Block(2, 1, WINDOW, shift)

    def forward(self, x):
        return self.block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


LAYERS = {
    "kernel 3": (nn.Conv2d(2, 2, 3, padding=1), receptive.kernel(3)),
    "kernel 5, stride 2": (nn.Conv2d(2, 2, 5, 2, 2), receptive.kernel(5, 2)),
    "kernel 3, stride 2": (nn.Conv2d(2, 2, 3, 2, 1), receptive.kernel(3, 2)),
    "transposed": (nn.ConvTranspose2d(2, 2, 3, 2, 1, 1), receptive.transposed(3, 2)),
    "transposed 5": (nn.ConvTranspose2d(2, 2, 5, 2, 2, 1), receptive.transposed(5, 2)),
    "shuffled": (
        nn.Sequential(nn.Conv2d(2, 8, 1), nn.PixelShuffle(2)), receptive.shuffled(2),
    ),
    "windows": (Windowed(0), receptive.windows(WINDOW)),
    "shifted windows": (Windowed(2), receptive.windows(WINDOW, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_the_span_of_a_layer_is_what_its_output_depends_on(name):
    layer, needs = LAYERS[name]
    layer = layer.double()
    x = torch.randn(1, 2, 16, 4, dtype=torch.float64)
    whole = layer(x)
    dependent: dict[int, set[int]] = {row: set() for row in range(whole.shape[2])}
    for row in range(16):
        other = x.clone()
        other[:, :, row] += 1
        changed = (layer(other) != whole).any(3).any(1)[0]
        for output in changed.nonzero()[:, 0].tolist():
            dependent[output].add(row)
    for output in range(len(dependent) // 4, 3 * len(dependent) // 4):
        assert needs(output, output + 1) == (
            min(dependent[output]), max(dependent[output]) + 1,
        )  # fmt: skip


def test_a_halo_is_as_the_examples_say():
    assert doctest.testmod(receptive).failed == 0

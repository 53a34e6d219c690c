"""The region-adaptive transform is that of a loop over regions, and looks no further than it says."""

from __future__ import annotations

import torch

from nacre.models.parts.region_adaptive import RegionAdaptiveTransform, filter_by_position
from nacre.models.parts.regions import PrivilegedRegions, Regions
from tests.models.parts.test_regions import by_loops as means_by_loops
from tests.models.parts.test_regions import window_labels

STRIDE = 4


def filtered_by_loops(x, kernels):
    found = torch.zeros_like(x)
    batch, channels, height, width = x.shape
    for b in range(batch):
        for c in range(channels):
            for row in range(height):
                for column in range(width):
                    for tap in range(9):
                        r, d = row + tap // 3 - 1, column + tap % 3 - 1
                        if 0 <= r < height and 0 <= d < width:
                            found[b, c, row, column] += (
                                x[b, c, r, d] * kernels[b, c, tap, row, column]
                            )
    return found


def by_loops(layer, x, labels):
    entered = layer.enter(x)
    kernels = layer.kernels(torch.cat([entered, means_by_loops(x, labels)], 1))
    channels = entered.shape[1]
    of_channel = [kernels[:, 9 * c : 9 * c + 9] for c in range(channels)]
    filtered = filtered_by_loops(entered, torch.stack(of_channel, 1))
    gate = torch.sigmoid(layer.gate(means_by_loops(filtered, labels)))
    return x + layer.leave(gate * filtered)


def some_layer(window=16):
    torch.manual_seed(0)
    return RegionAdaptiveTransform(3, STRIDE, PrivilegedRegions(window))


@torch.inference_mode()
def test_filters_are_those_of_every_position():
    x, kernels = torch.randn(1, 2, 4, 3), torch.randn(1, 2, 9, 4, 3)
    assert torch.allclose(filter_by_position(x, kernels), filtered_by_loops(x, kernels), atol=1e-6)


@torch.inference_mode()
def test_labels_are_regions():
    layer, x = some_layer(), torch.randn(2, 3, 5, 6)
    labels = torch.randint(0, 3, (2, 5, 6))
    of_pixels = labels.repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)
    with layer.regions.known(Regions(of_pixels, 3)):
        found = layer(x)
    assert torch.allclose(found, by_loops(layer, x, labels), atol=1e-5)
    assert not torch.allclose(found, layer(x), atol=1e-3)


@torch.inference_mode()
def test_windows_are_regions_without_labels():
    layer, x = some_layer(), torch.randn(1, 3, 6, 5)
    assert torch.allclose(layer(x), by_loops(layer, x, window_labels(6, 5, 4)), atol=1e-5)


def test_it_looks_no_further_than_its_reach():
    layer = some_layer(window=32)
    reach = RegionAdaptiveTransform.reach(32) // STRIDE
    x = torch.randn(1, 3, 64, 64, requires_grad=True)
    lows, highs = [], []
    for at in range(32, 40):  # every place in a window
        (gradient,) = torch.autograd.grad(layer(x)[0, :, at, at].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        lows.append(at - int(rows.min()))
        highs.append(int(rows.max()) - at)
    assert max(lows) <= reach and max(highs) <= reach
    assert max(lows) > 8 + 6  # into the window beside its own

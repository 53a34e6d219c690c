"""Means over regions are those of a loop, over windows and over labels."""

from __future__ import annotations

import torch

from nacre.models.parts.regions import (
    COLOUR_REGIONS,
    LabelPooling,
    PrivilegedRegions,
    Regions,
    WindowPooling,
    colour_regions,
)


def by_loops(x, labels):
    """Every position gets the mean of the positions of its picture that have its label."""
    found = torch.zeros_like(x)
    for b in range(len(x)):
        for label in labels[b].unique():
            own = labels[b] == label
            found[b][:, own] = x[b][:, own].mean(1, keepdim=True)
    return found


def window_labels(height, width, side):
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return (rows[:, None] * (width // side + 1) + columns)[None]


def test_windows_are_regions_and_smaller_at_the_edges():
    x = torch.randn(2, 3, 7, 10)
    pooling = WindowPooling(4, 7, 10)
    want = by_loops(x, window_labels(7, 10, 4).expand(2, -1, -1))
    assert torch.allclose(pooling.spread(pooling.means(x)), want, atol=1e-6)


def test_labels_are_regions():
    torch.manual_seed(0)
    x, labels = torch.randn(2, 3, 7, 10), torch.randint(0, 4, (2, 7, 10))
    labels[1] = 2  # the others have no position
    pooling = LabelPooling(labels, 5)
    means = pooling.means(x)
    assert means.shape == (2, 3, 5, 1) and means.isfinite().all()
    assert torch.allclose(pooling.spread(means), by_loops(x, labels), atol=1e-6)


def test_labels_are_taken_at_the_corner_of_a_position():
    labels = torch.arange(8 * 4).reshape(1, 8, 4)
    found = Regions(labels, 32).at(4, 3, 2)  # one row and one column beyond the picture
    assert torch.equal(found[0], torch.tensor([[0, 3], [16, 19], [28, 31]]))


def test_colours_make_regions():
    x = torch.zeros(1, 3, 32, 64)
    x[:, 0, :, 32:] = 1  # red on the right
    x[:, 2, 16:] = 1  # blue below
    regions = colour_regions(x)
    assert regions.labels.shape == (1, 32, 64) and regions.count == COLOUR_REGIONS
    corners = regions.labels[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert torch.equal(corners, torch.tensor([0, 1, 4, 5]))
    assert torch.equal(colour_regions(x).labels, regions.labels)


def test_regions_are_known_for_one_pass_alone():
    privileged, x = PrivilegedRegions(64), torch.randn(1, 2, 8, 8)
    regions = Regions(torch.zeros(1, 32, 32, dtype=torch.long), 1)
    with privileged.known(regions):
        assert isinstance(privileged.pooling(4, x), LabelPooling)
    assert privileged.pooling(4, x) == WindowPooling(16, 8, 8)

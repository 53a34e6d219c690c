"""The hierarchical context: what it computes at each level, at any size of y."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.schedule import HIERARCHY_LEVELS
from nacre.entropy.walk import drive, walk
from nacre.models.hpcm.config import HpcmConfig
from nacre.models.hpcm.context import HierarchicalContext
from tests.models import laws
from tests.models.hpcm.test_laws import TINY

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def context():
    torch.manual_seed(0)
    found = HierarchicalContext(HpcmConfig(**TINY)).requires_grad_(False)
    for parameter in found.parameters():
        parameter.copy_(torch.randn_like(parameter) / 4)
    return found


def means(context, features, y):
    """Of all elements, each from its turn."""
    known, found, memory = torch.zeros_like(y), torch.zeros_like(y), {}
    for k, turn in enumerate(context.turns):
        where = turn.where(*y.shape[2:], CPU)
        mean = context(k, features, known, memory)
        found = torch.where(where, mean, found)
        known = torch.where(where, y, known)
    return found


def test_networks_run_at_the_resolution_of_the_level(context):
    sizes = []
    hooks = [
        network.register_forward_hook(lambda _, inputs, out: sizes.append(tuple(out.shape[2:])))
        for network in (context.coarse, context.fine)
    ]
    means(context, torch.randn(1, 32, 16, 8), torch.randn(1, 16, 16, 8))
    for hook in hooks:
        hook.remove()
    assert sizes == [(4, 2), *[(8, 4)] * 3, *[(16, 8)] * 6]


class LeftNeighbour(torch.nn.Module):
    """A network whose context is the state plus what is decoded, both to the left, at the level."""

    def forward(self, seen, factors):
        return (seen[:, :32] + seen[:, 32:].repeat(1, 2, 1, 1)).roll(1, 3)


class TheContext(torch.nn.Module):
    def forward(self, context, state):
        return context


def test_means_are_those_of_a_computation_at_full_resolution():
    """Networks are replaced by sums over left neighbours: a level's are as far apart as its cells are wide."""
    context = HierarchicalContext(HpcmConfig(**TINY))
    context.coarse = context.fine = LeftNeighbour()
    for layers, plain in (
        (context.enter, torch.nn.Identity()),
        (context.refine, torch.nn.Identity()),
        (context.carry, TheContext()),
    ):
        for k in range(len(layers)):
            layers[k] = plain
    features, y = torch.randn(1, 32, 8, 8), torch.randn(1, 16, 8, 8)
    order = torch.stack([t.where(8, 8, CPU)[0] for t in context.turns]).int().argmax(0)
    state, want, turn, zero = features[0, :16].clone(), features[0, :16].clone(), 0, torch.zeros(())
    for factor, count in HIERARCHY_LEVELS:
        end = turn + count
        for k in range(max(turn, 1), end):
            left = (state + torch.where(order < k, y[0], zero)).roll(factor, 2)
            state = torch.where(order < end, left, state)
            want = torch.where(order == k, state, want)
        turn = end
    assert torch.allclose(means(context, features, y)[0], want, atol=1e-5)
    assert (want - features[0, :16]).abs().max() > 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (6, 9), (13, 2)])
def test_a_small_y_is_the_corner_of_one_with_repeated_features(context, size):
    """Features are padded with their border and y with zeros, up to multiples of four."""
    height, width = size
    features, y = torch.randn(1, 32, *size), torch.randn(1, 16, *size)
    tall, wide = (-(-side // 4) * 4 for side in size)
    rows = torch.arange(tall).clamp(max=height - 1)
    columns = torch.arange(wide).clamp(max=width - 1)
    larger_y = torch.zeros(1, 16, tall, wide)
    larger_y[:, :, :height, :width] = y
    larger = means(context, features[:, :, rows][..., columns], larger_y)
    assert torch.allclose(means(context, features, y), larger[:, :, :height, :width], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (32, 32)])
def test_any_size_is_walked(size):
    network = laws.build("hpcm", TINY)
    shapes = network.shapes(*size)
    prior = network.prior(shapes, torch.tensor([0.5]))
    known = drive(walk(prior, CPU), lambda step: torch.ones_like(step.mean))
    assert known["y"].shape == shapes["y"] and known["y"].isfinite().all()


def test_with_float_scales_log2_scales_follow_the_means():
    found = HierarchicalContext(HpcmConfig(**TINY, float_scales=True))
    assert found.gives_scales
    features = torch.randn(1, 32, 4, 4)
    assert found(0, features, torch.zeros(1, 16, 4, 4), {}).shape == (1, 32, 4, 4)

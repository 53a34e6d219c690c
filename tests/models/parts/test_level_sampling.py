"""Level sampling: the elements of a level and their places, against the masks of the schedule."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.schedule import checkerboard, hierarchical
from nacre.models.parts.level_sampling import LevelSampling

CPU = torch.device("cpu")
TURNS = hierarchical("y", 16)
QUARTER, HALF = LevelSampling.of(TURNS[:2], 4), LevelSampling.of(TURNS[:5], 2)


@pytest.mark.parametrize(("sampling", "turns"), [(QUARTER, 2), (HALF, 5)])
def test_what_is_taken_is_what_is_coded_in_the_turns(sampling, turns):
    plane = torch.randn(2, 16, 8, 12)
    taken = sampling.take(plane)
    where = torch.stack([t.where(8, 12, CPU) for t in TURNS[:turns]]).any(0)
    want = plane.masked_select(where).view(taken.shape)  # in raster order within a channel
    assert torch.equal(taken, want)


@pytest.mark.parametrize("sampling", [QUARTER, HALF])
def test_putting_undoes_taking_and_leaves_the_rest(sampling):
    plane, level = (
        torch.randn(1, 16, 8, 8),
        torch.randn(1, 16, 8 // sampling.factor, 8 // sampling.factor),
    )
    put = sampling.put(plane, level)
    assert torch.equal(sampling.take(put), level)
    assert (put == plane).sum() == plane.numel() - level.numel()
    assert torch.equal(sampling.put(put, sampling.take(plane)), plane)


@pytest.mark.parametrize("sampling", [QUARTER, HALF])
def test_what_is_spread_is_taken_back(sampling):
    level = torch.randn(1, 16, 2, 3)
    assert torch.equal(sampling.take(sampling.spread(level)), level)


def test_a_level_within_a_finer_one_has_the_same_positions():
    plane = torch.randn(1, 16, 8, 8)
    assert torch.equal(QUARTER.within(HALF).take(HALF.take(plane)), QUARTER.take(plane))


def test_several_tensors_in_one_are_sampled_alike():
    a, b = torch.randn(1, 16, 8, 8), torch.randn(1, 16, 8, 8)
    want = torch.cat([HALF.take(a), HALF.take(b)], 1)
    assert torch.equal((HALF * 2).take(torch.cat([a, b], 1)), want)


def test_turns_with_other_positions_are_refused():
    with pytest.raises(ValueError, match="group 0 has 2 positions"):
        LevelSampling.of(checkerboard("y", range(8))[:1], 2)


def test_gradients_pass():
    plane = torch.randn(1, 16, 8, 8, requires_grad=True)
    level = torch.randn(1, 16, 4, 4, requires_grad=True)
    HALF.put(plane, level).sum().backward()
    assert (level.grad == 1).all() and plane.grad.sum() == plane.numel() - level.numel()

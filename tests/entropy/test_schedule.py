"""A schedule codes every element once; the default order is part of the format."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.schedule import (
    HIERARCHY_LEVELS,
    Turn,
    check,
    checkerboard,
    hierarchical,
    layer_count,
    quarters,
    whole,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("channels", "height", "width"), [(8, 4, 6), (320, 1, 1), (5, 3, 7), (4, 1, 9)]
)
def test_quarters_code_each_element_in_exactly_one_turn(channels, height, width):
    masks = torch.stack([t.where(height, width, CPU) for t in quarters("y", channels)])
    assert masks.shape == (4, 1, channels, height, width)
    assert (masks.sum(0) == 1).all()


def test_a_turn_takes_every_position_of_a_block_in_some_channel():
    for turn in quarters("y", 4):
        assert (turn.where(2, 2, CPU)[0].sum(0) == 1).all()


def test_the_order_of_the_format_is_pinned():
    first = [turn.where(2, 2, CPU)[0].nonzero().tolist() for turn in quarters("y", 4)]
    assert first == [
        [[0, 0, 0], [1, 1, 0], [2, 0, 1], [3, 1, 1]],
        [[0, 1, 1], [1, 0, 0], [2, 1, 0], [3, 0, 1]],
        [[0, 0, 1], [1, 1, 1], [2, 0, 0], [3, 1, 0]],
        [[0, 1, 0], [1, 0, 1], [2, 1, 1], [3, 0, 0]],
    ]


def test_one_turn_or_forty():
    check((whole("y", 7),), {"y": 7})
    forty = tuple(
        Turn("y", range(4 * (k // 4), 4 * (k // 4) + 4), k, quarters("y", 4)[k % 4].patterns)
        for k in range(40)
    )
    check(forty, {"y": 40})
    assert layer_count(forty) == 40


def turn_of(channels, height, width):
    """(C, h, w) the turn of each element in the hierarchical order."""
    masks = [t.where(height, width, CPU)[0] for t in hierarchical("y", channels)]
    assert (torch.stack(masks).sum(0) == 1).all()
    return sum(k * mask.int() for k, mask in enumerate(masks))


def test_the_hierarchical_order_is_that_of_its_picture():
    lines = [line.split() for line in hierarchical.__doc__.splitlines()]
    picture = [row for row in lines if len(row) == 8 and all(len(cell) == 1 for cell in row)]
    rows = [[int(cell, 16) - 1 for cell in row] for row in picture]
    assert turn_of(8, 8, 8)[0].tolist() == rows


@pytest.mark.parametrize(("channels", "height", "width"), [(8, 8, 8), (320, 16, 24), (10, 3, 5)])
def test_the_hierarchical_order_codes_each_element_once(channels, height, width):
    check(hierarchical("y", channels), {"y": channels})
    assert turn_of(channels, height, width).max() <= 10


def test_each_level_of_the_hierarchical_order_has_one_position_of_its_cells():
    order, done = turn_of(16, 16, 16), 0
    for factor, count in HIERARCHY_LEVELS:
        done += count
        cells = (order < done).unfold(1, factor, factor).unfold(2, factor, factor)
        assert (cells.flatten(3).sum(3) == 1).all()


def test_every_hierarchical_turn_takes_as_many_positions_as_another_of_its_level():
    order = turn_of(8, 8, 8)
    counts = [int((order == k).sum()) for k in range(11)]
    assert counts == [16, 16, *[32] * 3, *[64] * 6]
    assert [turn.layer for turn in hierarchical("y", 8)] == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


BAD = {
    "a missing position": (checkerboard("y", range(4))[:1], "channel 0"),
    "a position twice": ((whole("y", 4), *checkerboard("y", range(2), (0, 0))), "channel 0"),
    "a channel too many": ((whole("y", 5),), "no channels"),
    "a missing channel": ((whole("y", 3),), "channel 3"),
    "an unknown plane": ((whole("y", 4), whole("x", 1)), "no channels"),
    "a gap between layers": (checkerboard("y", range(4), (0, 2)), "layers"),
    "layers that fall": (checkerboard("y", range(4), (1, 0)), "layers"),
    "nothing": ((), "layers"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_faulty_schedule_is_refused(fault):
    turns, message = BAD[fault]
    with pytest.raises(ValueError, match=message):
        check(turns, {"y": 4})

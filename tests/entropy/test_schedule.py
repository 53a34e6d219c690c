"""A schedule codes every element once; the default order is part of the format."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.schedule import Turn, check, checkerboard, layer_count, quarters, whole

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

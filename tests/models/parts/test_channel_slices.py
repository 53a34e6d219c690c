"""A context over slices sees the slices of its support, and no others."""

from __future__ import annotations

import pytest
import torch

from nacre.models.parts.channel_slices import (
    ChannelSliceContext,
    SliceShape,
    slice_turns,
)
from nacre.models.parts.residual_prediction import LARGEST_RESIDUAL

SHAPE = {"latent": 9, "features": 4, "slices": 4, "support": 2, "width": 14}
OPTIONS = [{}, {"gives_scales": True}, {"dictionary_entries": 3, "dictionary_heads": 1}]


def test_slices_are_even_and_one_turn_each():
    turns = slice_turns(320, 10)
    assert [turn.channels for turn in turns] == [range(k, k + 32) for k in range(0, 320, 32)]
    assert all(turn.is_whole for turn in turns)
    assert [turn.layer for turn in turns] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert [len(turn.channels) for turn in slice_turns(9, 4)] == [2, 2, 2, 3]


@pytest.mark.parametrize("options", OPTIONS)
@torch.inference_mode()
def test_a_slice_sees_the_first_slices_alone(options):
    """For every slice, the channels of y that change what is predicted for it, and what is added to it."""
    torch.manual_seed(0)
    context = ChannelSliceContext(SliceShape(**SHAPE, **options))
    features = torch.randn(1, 4 * (2 if context.gives_scales else 1), 3, 5)
    y_hat, other = torch.randn(2, 1, 9, 3, 5)

    def predicted(turn, y):
        memory = {}
        return context(turn, features, y, memory), context.residual(turn, features, y, memory)

    support = [range(0), range(2), range(4), range(4)]
    for turn, seen in enumerate(support):
        want, added = predicted(turn, y_hat)
        own = context.turns[turn].channels
        assert want.shape[1] == len(own) * (2 if context.gives_scales else 1)
        assert added.shape[1] == len(own) and added.abs().max() <= LARGEST_RESIDUAL
        for channel in range(9):
            changed = y_hat.clone()
            changed[:, channel] = other[:, channel]
            found, found_added = predicted(turn, changed)
            assert torch.equal(found, want) == (channel not in seen)
            assert torch.equal(found_added, added) == (channel not in seen and channel not in own)


@torch.inference_mode()
def test_means_and_scales_have_features_of_their_own():
    torch.manual_seed(0)
    context = ChannelSliceContext(SliceShape(**SHAPE, gives_scales=True))
    features, y_hat = torch.randn(1, 8, 3, 5), torch.randn(1, 9, 3, 5)
    mean, scale = context(1, features, y_hat, {}).chunk(2, 1)
    for first, of_mean in ((0, True), (4, False)):
        changed = features.clone()
        changed[:, first] += 1
        other_mean, other_scale = context(1, changed, y_hat, {}).chunk(2, 1)
        assert torch.equal(other_mean, mean) != of_mean
        assert torch.equal(other_scale, scale) == of_mean

"""The context of channel slices: which elements a mean depends on, and how often its networks run."""

from __future__ import annotations

import pytest
import torch

from nacre.entropy.schedule import CHECKERBOARD, QUARTERS, WHOLE, check
from nacre.models.parts.channel_context import (
    AGGREGATIONS,
    CheckerboardConvolution,
    SliceContext,
    SliceOptions,
)

FEATURES = 6
CPU = torch.device("cpu")


def build(*, seed=0, **values):
    torch.manual_seed(seed)
    values = {"sizes": (1, 1, 2, 3), "widths": (5, 4), **values}
    return SliceContext(SliceOptions(features=FEATURES, **values)).requires_grad_(False)


def means(context, features, y):
    """Of all elements, each from its turn, as in a walk."""
    known, found, memory = torch.zeros_like(y), torch.zeros_like(y), {}
    for k, turn in enumerate(context.turns):
        where = turn.where(*y.shape[2:], CPU)
        own = context(k, features, known, memory)
        found[:, turn.slice] = torch.where(where, own, found[:, turn.slice])
        known[:, turn.slice] = torch.where(where, y[:, turn.slice], known[:, turn.slice])
    return found


def test_a_checkerboard_convolution_is_a_sum_over_the_other_half():
    torch.manual_seed(0)
    layer, x = CheckerboardConvolution(2, 3), torch.randn(1, 2, 6, 7)
    found, weight, bias = layer(x).detach(), layer.weight.detach(), layer.bias.detach()
    for out in range(3):
        for row in range(6):
            for column in range(7):
                total = float(bias[out])
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        y, x_ = row + dy, column + dx
                        if (dy + dx) % 2 and 0 <= y < 6 and 0 <= x_ < 7:
                            for channel in range(2):
                                tap = float(weight[out, channel, dy + 2, dx + 2])
                                total += tap * float(x[0, channel, y, x_])
                assert abs(float(found[0, out, row, column]) - total) < 1e-5


def looked_at(context, turn, side=15):
    """(M, side, side) bool: the elements of y_hat that the means in the middle depend on, were all decoded."""
    middle = side // 2
    found = torch.zeros(context.options.bounds[-1], side, side, dtype=torch.bool)
    for seed in range(8):  # ReLU hides some of them from a single y_hat
        rng = torch.Generator().manual_seed(seed)
        shape = (1, context.options.bounds[-1], side, side)
        y_hat = torch.randn(shape, generator=rng).requires_grad_()
        features = torch.randn((1, FEATURES, side, side), generator=rng)
        memory = {}
        for k in range(turn + 1):
            mean = context(k, features, y_hat, memory)
        if mean.requires_grad:
            (gradient,) = torch.autograd.grad(mean[..., middle, middle].sum(), y_hat)
            found |= gradient[0] != 0
    return found


@pytest.mark.parametrize("sees_all", [True, False])
def test_a_turn_sees_the_slices_before_and_the_decoded_positions_of_its_own(sees_all):
    """13x13 positions of slices before, by three 5x5 convolutions; 5x5 of the slice, the other half alone."""
    context = build(widths=(16, 16), sees_all=sees_all, aggregation="even")
    bounds = context.options.bounds
    rows = torch.arange(15) - 7
    near = (rows.abs() <= 6)[:, None] & (rows.abs() <= 6)
    around = (rows.abs() <= 2)[:, None] & (rows.abs() <= 2) & ((rows[:, None] + rows) % 2 == 1)
    for turn in range(len(context.turns)):
        k, number = divmod(turn, 2)
        want = torch.zeros(bounds[-1], 15, 15, dtype=torch.bool)
        for other in range(k):
            if sees_all or other in (0, k - 1):
                want[bounds[other] : bounds[other + 1]] = near
        if number:
            want[bounds[k] : bounds[k + 1]] = around
        assert torch.equal(looked_at(context, turn), want), turn


def test_a_channel_context_runs_once_for_each_slice():
    context, runs = build(), []
    for k, network in enumerate(context.channel, 1):
        network.register_forward_hook(lambda *_, k=k: runs.append(k))
    means(context, torch.randn(1, FEATURES, 4, 5), torch.randn(1, 7, 4, 5))
    assert runs == [1, 2, 3]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("shares", [False, True])
def test_means_are_the_aggregation_of_features_and_both_contexts(aggregation, shares):
    """Computed again, for the last slice, from the layers alone."""
    context = build(aggregation=aggregation, shares_aggregation=shares)
    features, y = torch.randn(2, FEATURES, 4, 5), torch.randn(2, 7, 4, 5)
    first = torch.arange(4)[:, None] % 2 == torch.arange(5) % 2
    channel = context.channel[2](y[:, :4])
    spatial = context.spatial[3](torch.where(first, y[:, 4:], torch.zeros(())))
    early = [features, channel, torch.zeros_like(spatial)] if shares else [features, channel]
    late = [features, channel, spatial]
    networks = [context.aggregation[3]] * 2 if shares else context.aggregation[6:]
    pair = [net(torch.cat(x, 1)) for net, x in zip(networks, (early, late), strict=True)]
    want = torch.where(first, *pair)
    assert torch.allclose(means(context, features, y)[:, 4:], want, atol=1e-6)


@pytest.mark.parametrize("passes", [(WHOLE,), CHECKERBOARD, QUARTERS])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 3)])
def test_slices_have_any_passes_at_any_size(passes, size):
    context = build(sizes=(2,) * 10, passes=passes)
    assert len(context.turns) == 10 * len(passes)
    check(context.turns, {"y": 20})
    found = means(context, torch.randn(1, FEATURES, *size), torch.randn(1, 20, *size))
    assert found.isfinite().all() and (found != 0).all()


@pytest.mark.parametrize("passes", [(WHOLE,), CHECKERBOARD, QUARTERS])
@pytest.mark.parametrize("shares", [False, True])
def test_what_a_turn_decodes_changes_no_mean_up_to_it(passes, shares):
    context = build(passes=passes, shares_aggregation=shares, predicts_residual=True)
    features, y = torch.randn(1, FEATURES, 6, 7), torch.randn(1, 7, 6, 7)
    whole = means(context, features, y)
    decoded = torch.zeros_like(y, dtype=torch.bool)
    for turn in context.turns:
        where = turn.where(6, 7, CPU)
        upto = decoded.clone()
        upto[:, turn.slice] |= where
        other = torch.where(decoded, y, torch.randn_like(y))
        assert torch.equal(means(context, features, other)[upto], whole[upto])
        decoded = upto


def test_a_single_slice_is_possible():
    context = build(sizes=(3,), passes=(WHOLE,))
    check(context.turns, {"y": 3})
    assert len(context.channel) == len(context.spatial) == 0


def test_published_scales_follow_the_means():
    context = build(gives_scales=True)
    features, y_hat = torch.randn(1, FEATURES, 4, 4), torch.zeros(1, 7, 4, 4)
    memory = {}
    found = [
        context(k, features, y_hat, memory).shape[1] // len(turn.channels)
        for k, turn in enumerate(context.turns)
    ]
    assert found == [2] * 8


def test_residuals_are_an_option_and_see_what_was_just_decoded():
    features, y_hat = torch.randn(1, FEATURES, 4, 4), torch.randn(1, 7, 4, 4)
    assert build().residual(0, features, y_hat, {}) is None
    context = build(predicts_residual=True)
    for k, turn in enumerate(context.turns):
        found = context.residual(k, features, y_hat, {})
        assert found.shape == (1, len(turn.channels), 4, 4) and found.abs().max() <= 0.5
        other = y_hat.clone()
        other[:, turn.slice] += 1
        assert not torch.equal(context.residual(k, features, other, {}), found)
        later = y_hat.clone()
        later[:, turn.channels.stop :] += 1
        assert torch.equal(context.residual(k, features, later, {}), found)


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="'wider' is not one of narrow, even, wide"):
        SliceOptions((2, 2), 4, aggregation="wider")
    with pytest.raises(ValueError, match="at least one"):
        SliceOptions((2, 0), 4)

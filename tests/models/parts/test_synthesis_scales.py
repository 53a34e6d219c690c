"""Rows from the hyper-synthesis in integers: near the scales in floats, stored, checked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.entropy.errors import WeightsError
from nacre.models.parts.exact_convolutions import ConvolutionShape
from nacre.models.parts.integer import EXACT
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP, ROWS
from nacre.models.parts.synthesis_scales import (
    SCALE_UNIT,
    IntegerSynthesis,
    ScaleSynthesis,
    quantise_synthesis,
    row_boundaries,
    scale_shapes,
)

LATENT = 24
SHAPES = (
    ConvolutionShape(8, 32, 5, 2, True, 0.01),
    ConvolutionShape(32, 48, 5, 2, True, 0.01),
    ConvolutionShape(48, 2 * LATENT, 3),
)


def made():
    """h_s with random weights, scales of all sizes, medians that are no whole numbers; and z."""
    torch.manual_seed(0)
    net, median = ScaleSynthesis(SHAPES), torch.linspace(-0.9, 0.7, 8)
    with torch.no_grad():
        for conv in (net[0], net[2], net[4]):
            conv.weight.mul_(4)
        net[4].weight.mul_(torch.logspace(-1.5, 1.5, 2 * LATENT)[:, None, None, None])
    z = torch.randint(-6, 7, (8, 5, 4), generator=torch.Generator().manual_seed(1)).float()
    return net, median, z


def exact_form(net, median, z):
    return quantise_synthesis(
        net, scale_shapes(SHAPES, LATENT), median, lambda: net(z[None] + median[:, None, None])
    )


def test_rows_are_near_the_float_scales():
    net, median, z = made()
    with torch.inference_mode():
        scale = net(z[None] + median[:, None, None])[0, :LATENT].clamp_min(2.0**LOG2_MIN)
        rows = exact_form(net, median, z).hyper(z)
    wanted = ((scale.log2() - LOG2_MIN) / ROW_STEP).clamp(0, ROWS - 1)
    assert rows.dtype == torch.uint8 and rows.shape == (LATENT, 20, 16)
    assert len(rows.unique()) > 40
    assert (rows - wanted).abs().max() < 0.75  # half a row is the rounding


def test_boundaries_are_halfway_between_rows():
    middles = np.log2(row_boundaries().numpy() / SCALE_UNIT)
    rows = (middles - LOG2_MIN) / ROW_STEP
    assert np.abs(rows - np.arange(ROWS - 1) - 0.5).max() < 0.02


def test_storing_undoes_loading():
    net, median, z = made()
    exact = exact_form(net, median, z)
    assert exact.prove_exact() < EXACT
    arrays = exact.to_arrays()
    again = IntegerSynthesis.from_arrays(scale_shapes(SHAPES, LATENT), arrays)
    assert all(np.array_equal(v, again.to_arrays()[k]) for k, v in arrays.items())
    assert torch.equal(exact.hyper(z), again.hyper(z))


def test_arrays_that_do_not_fit_are_refused():
    net, median, z = made()
    exact = exact_form(net, median, z)
    for key, wrong, said in (
        ("median", np.zeros(7, np.int32), "median is not 8 integers"),
        ("boundaries", np.arange(ROWS - 1)[::-1].astype(np.int32), "do not rise"),
        ("1.bias", exact.to_arrays()["1.bias"] + 2**50, r"2\*\*53"),
    ):
        with pytest.raises(WeightsError, match=said):
            IntegerSynthesis.from_arrays(
                scale_shapes(SHAPES, LATENT), {**exact.to_arrays(), key: wrong}
            )

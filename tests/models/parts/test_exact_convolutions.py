"""Convolutions in integers: equal to plain int64 arithmetic, near the floats, and proven."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.entropy.errors import WeightsError
from nacre.models.parts.exact_convolutions import (
    FINE_TOP,
    ConvolutionShape,
    IntegerConvolution,
    quantise_convolution,
)
from nacre.models.parts.integer import EXACT

SHAPES = {
    "plain": ConvolutionShape(5, 4, 3, slope=0.0),
    "strided": ConvolutionShape(5, 4, 5, 2, slope=0.01),
    "transposed": ConvolutionShape(5, 4, 5, 2, True, 0.01),
    "transposed by 3": ConvolutionShape(3, 4, 3, 3, True, 1.0),
    "linear": ConvolutionShape(3, 2, 1),
}


def made(shape, seed=0):
    """A layer in floats with random weights, and its exact form: inputs in 1/100, outputs in 1/1000."""
    torch.manual_seed(seed)
    modules = list(shape.modules())
    units = [
        torch.full((n,), unit).double() for n, unit in ((shape.inputs, 0.01), (shape.outputs, 1e-3))
    ]
    exact = quantise_convolution(modules[0], shape, units[0], FINE_TOP, units[1], 2**18)
    return torch.nn.Sequential(*modules).double(), exact


def inputs(shape, largest, height=6, width=5):
    rng = torch.Generator().manual_seed(1)
    return torch.randint(-largest, largest + 1, (shape.inputs, height, width), generator=rng)


def as_int64(layer, x):
    """The layer again, element by element in plain int64: no float, no matrix routine."""
    s, k = layer.shape, layer.shape.kernel
    weight = layer.weight.numpy().astype(np.int64).reshape(k, k, s.outputs, s.inputs)
    bias, multiplier, negative, shift = (
        v.numpy().astype(np.int64)[:, None, None]
        for v in (layer.bias, layer.multiplier, layer.negative, layer.shift)
    )
    height, width = x.shape[1:]
    if s.is_transposed:
        sides = height * s.stride, width * s.stride
    else:
        sides = -(-height // s.stride), -(-width // s.stride)
    total = np.zeros((s.outputs, *sides), np.int64)
    for i, j in np.ndindex(height, width):
        for a, b in np.ndindex(k, k):
            if s.is_transposed:
                row, column = i * s.stride + a - k // 2, j * s.stride + b - k // 2
            else:
                row, column = i - a + k // 2, j - b + k // 2
                if row % s.stride or column % s.stride:
                    continue
                row, column = row // s.stride, column // s.stride
            if 0 <= row < sides[0] and 0 <= column < sides[1]:
                total[:, row, column] += weight[a, b] @ x[:, i, j]
    total += bias
    total = total * np.where(total < 0, negative, multiplier) + (1 << shift - 1)
    return np.clip(total >> shift, layer.low, layer.top)


@pytest.mark.parametrize("name", SHAPES)
def test_floats_that_hold_integers_are_integers(name):
    shape = SHAPES[name]
    exact, x = made(shape)[1], inputs(shape, FINE_TOP)
    found = exact(x.double()).numpy()
    assert np.array_equal(found, as_int64(exact, x.numpy()))
    assert (found < 0).any() == (shape.slope > 0) and found.max() > 100


@pytest.mark.parametrize("name", SHAPES)
def test_integers_are_near_the_floats(name):
    """Within half a unit of rounding, and a few of weights that are rounded."""
    shape = SHAPES[name]
    (floats, exact), x = made(shape), inputs(shape, 1000).double()
    with torch.inference_mode():
        wanted = 1000 * floats(0.01 * x[None])[0]
    assert (exact(x) - wanted).abs().max() < 3


@pytest.mark.parametrize("name", SHAPES)
def test_no_input_passes_the_proven_bound(name):
    """The input that adds up most comes to what is proven, within the padding of the border."""
    shape = SHAPES[name]
    exact = made(shape)[1]
    assert exact.prove_exact(FINE_TOP) < EXACT
    proven = exact.largest_sum(FINE_TOP)
    largest = torch.zeros(shape.outputs, dtype=torch.float64)
    wide = IntegerConvolution(
        shape, exact.weight.abs(), exact.bias.abs(), *(torch.ones_like(exact.bias),) * 3, EXACT
    )
    largest = wide(torch.full((shape.inputs, 7, 7), float(FINE_TOP)).double()).amax((1, 2)) * 2
    assert ((largest - proven).abs() <= 2).all()


def test_a_sum_that_might_not_be_exact_is_refused():
    exact = made(SHAPES["plain"])[1]
    beyond = IntegerConvolution(
        exact.shape,
        exact.weight,
        exact.bias + 2.0**45,
        exact.multiplier,
        exact.negative,
        exact.shift,
        9,
    )
    with pytest.raises(WeightsError, match=r"2\*\*53"):
        beyond.prove_exact(FINE_TOP)


def test_outputs_do_not_depend_on_settings():
    exact, x = made(SHAPES["transposed"])[1], inputs(SHAPES["transposed"], FINE_TOP).double()
    want, threads = exact(x), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        torch.backends.mkldnn.enabled = False
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(exact(x), want)
    finally:
        torch.set_num_threads(threads)
        torch.backends.mkldnn.enabled = True


def test_storing_undoes_loading():
    exact = made(SHAPES["strided"])[1]
    arrays = exact.to_arrays("a")
    again = IntegerConvolution.from_arrays("a", arrays, exact.shape, exact.top)
    assert all(np.array_equal(v, again.to_arrays("a")[k]) for k, v in arrays.items())


@pytest.mark.parametrize("part", ["weight", "bias", "multiplier", "negative", "shift"])
def test_arrays_that_do_not_fit_are_refused(part):
    exact = made(SHAPES["plain"])[1]
    for wrong in (None, exact.to_arrays("a")[f"a.{part}"][:-1], np.zeros(4, np.float32)):
        arrays = exact.to_arrays("a")
        if wrong is None:
            del arrays[f"a.{part}"]
        else:
            arrays[f"a.{part}"] = wrong
        with pytest.raises(WeightsError, match=rf"a\.{part} is not"):
            IntegerConvolution.from_arrays("a", arrays, exact.shape, exact.top)

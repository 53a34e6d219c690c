"""The exact scale network: integers, equal everywhere, and close to the floats it was made from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacre.entropy.errors import WeightsError
from nacre.models.parts.integer import EXACT
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP, ROWS
from nacre.models.parts.scales import MAX_MAGNITUDE, IntegerScales, quantise, watch
from nacre.models.zoo import card, load_model, names


def inputs(model, seed=0, height=3, width=5):
    rng = torch.Generator().manual_seed(seed)
    z_hat = torch.randint(
        -30, 31, (model.network.config.hyper, height, width), generator=rng
    ).float()
    shape = (model.network.config.latent, 4 * height, 4 * width)
    return z_hat, torch.randint(0, MAX_MAGNITUDE + 1, shape, generator=rng).float()


def all_rows(scales, z_hat, magnitudes):
    hyper = scales.hyper(z_hat)
    return torch.stack([scales.rows(hyper, magnitudes, k) for k in scales.shape.turns])


def as_int64(scales, name, x):
    """The layer again, in plain int64 numpy: no float, no matrix routine."""
    layer = scales.layers[name]
    weight = layer.weight.numpy().astype(np.int64)
    bias, multiplier = (
        v.numpy().astype(np.int64)[:, None, None] for v in (layer.bias, layer.multiplier)
    )
    if layer.is_depthwise:
        h, w = x.shape[1:]
        around = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        total = sum(
            weight[:, k, None, None] * around[:, k // 3 : k // 3 + h, k % 3 : k % 3 + w]
            for k in range(9)
        )
    else:
        total = np.einsum("oi,ihw->ohw", weight, x)
    scaled = ((total + bias) * multiplier + (1 << layer.shift - 1)) >> layer.shift
    return np.clip(scaled, 0, layer.top)


def shuffled(x):
    c, h, w = x.shape
    return x.reshape(c // 4, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(c // 4, 2 * h, 2 * w)


@pytest.mark.parametrize("name", [n for n in names() if card(n)["family"] == "nacre"])
def test_floats_that_hold_integers_are_integers(name):
    """The shipped network against another implementation that has nothing but int64."""
    model = load_model(name)
    z_hat, magnitudes = inputs(model)
    x = shuffled(as_int64(model.integers.scales, "up1", z_hat.numpy().astype(np.int64)))
    hyper = shuffled(
        as_int64(model.integers.scales, "up2", as_int64(model.integers.scales, "mix", x))
    )
    rows = all_rows(model.integers.scales, z_hat, magnitudes).numpy()
    for k in model.integers.scales.shape.turns:
        x = np.concatenate([hyper, 256 * magnitudes.numpy().astype(np.int64)]) if k else hyper
        for part in ("step_enter", "step_mix", "step_leave"):
            x = as_int64(model.integers.scales, f"{part}.{k}", x)
        assert np.array_equal(rows[k], x)


def test_rows_do_not_depend_on_settings(tiny_model):
    z_hat, magnitudes = inputs(tiny_model)
    want = all_rows(tiny_model.integers.scales, z_hat, magnitudes)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        torch.backends.mkldnn.enabled = False
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(all_rows(tiny_model.integers.scales, z_hat, magnitudes), want)
    finally:
        torch.set_num_threads(threads)
        torch.backends.mkldnn.enabled = True
        torch.set_float32_matmul_precision("highest")


def test_rows_are_near_the_float_scales(tiny_model):
    net, far = tiny_model.network.scales, []
    for seed in range(4):
        z_hat, magnitudes = inputs(tiny_model, seed)
        z_hat = (z_hat / 10).round()
        watching = watch(net)
        with torch.inference_mode():
            hyper = net.hyper(z_hat[None])
            floats = [net(hyper, magnitudes[None], k)[0] for k in net.shape.turns]
        exact = quantise(net, watching.close())
        rows = all_rows(exact, z_hat, magnitudes)
        wanted = ((torch.stack(floats) - LOG2_MIN) / ROW_STEP).clamp(0, ROWS - 1)
        far.append((rows - wanted).abs())
    assert torch.cat(far).max() < 0.8  # half a row is the rounding


def test_the_bound_is_proven_and_refused(tiny_model):
    assert tiny_model.integers.scales.prove_exact() < EXACT
    arrays = tiny_model.integers.scales.to_arrays()
    arrays["step_enter.1.bias"] = arrays["step_enter.1.bias"] + 2**45
    with pytest.raises(WeightsError, match="2\\*\\*53"):
        IntegerScales.from_arrays(tiny_model.integers.scales.shape, arrays)


def test_storing_undoes_loading(tiny_model):
    arrays = tiny_model.integers.scales.to_arrays()
    again = IntegerScales.from_arrays(tiny_model.integers.scales.shape, arrays).to_arrays()
    assert all(np.array_equal(arrays[key], again[key]) for key in arrays)


def test_a_missing_layer_is_named(tiny_model):
    arrays = tiny_model.integers.scales.to_arrays()
    del arrays["step_mix.2.bias"]
    with pytest.raises(WeightsError, match=r"step_mix\.2\.bias is missing"):
        IntegerScales.from_arrays(tiny_model.integers.scales.shape, arrays)

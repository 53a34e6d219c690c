"""Convolutional blocks against their formulas, and against the sizes of CompressAI's layers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from nacre.models.parts import convolutions
from nacre.models.parts.convolutions import (
    GDN,
    ConvolutionalAttention,
    ResidualBlock,
    ResidualBlockDown,
    ResidualBlockUp,
    ResidualBottleneck,
    SubPixel,
    convolution,
    transposed,
)
from nacre.models.parts.unfilled import unfilled


def gdn_with(beta, gamma, inverse=False):
    """A GDN of these values, stored as CompressAI stores them."""
    layer = GDN(len(beta), inverse)
    with torch.no_grad():
        layer.beta.copy_(torch.sqrt(beta + 2.0**-36))
        layer.gamma.copy_(torch.sqrt(gamma + 2.0**-36))
    return layer


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_its_formula(inverse):
    rng = torch.Generator().manual_seed(0)
    beta, gamma = torch.rand(3, generator=rng) + 0.1, torch.rand(3, 3, generator=rng)
    x = torch.randn(2, 3, 2, 4, generator=rng)
    found = gdn_with(beta, gamma, inverse)(x).detach()
    for b in range(2):
        for i in range(3):
            for row in range(2):
                for column in range(4):
                    total = float(beta[i])
                    for j in range(3):
                        total += float(gamma[i, j]) * float(x[b, j, row, column]) ** 2
                    norm = math.sqrt(total)
                    value = float(x[b, i, row, column])
                    want = value * norm if inverse else value / norm
                    assert abs(float(found[b, i, row, column]) - want) < 1e-5


def test_gdn_starts_with_beta_1_and_gamma_a_tenth_of_the_identity():
    x = torch.randn(1, 4, 3, 3)
    assert torch.allclose(GDN(4)(x), x / torch.sqrt(1 + 0.1 * x**2), atol=1e-4)


def test_gdn_never_divides_by_less_than_the_bound():
    layer = GDN(2)
    with torch.no_grad():
        layer.beta.fill_(-5.0)
        layer.gamma.fill_(-5.0)
    x = torch.ones(1, 2, 1, 1)
    assert torch.allclose(layer(x), x / math.sqrt(1e-6), rtol=1e-4)


def test_gradients_lift_a_parameter_of_gdn_back_over_its_bound():
    for sign, is_moved in ((1.0, False), (-1.0, True)):
        layer = GDN(1)
        with torch.no_grad():
            layer.beta.fill_(-1.0)
        # Without gamma the norm is sqrt(beta); its inverse falls as beta rises.
        (sign * gdn_norm(layer)).backward()
        assert bool(layer.beta.grad.abs().sum()) is is_moved


def gdn_norm(layer):
    layer.inverse = True
    return layer(torch.full((1, 1, 1, 1), 1e-3)).sum()


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_finite_whatever_comes_in(inverse):
    x = torch.tensor([0.0, 1e-30, 1e4, 1e25])[None, :, None, None]
    assert GDN(4, inverse)(x).isfinite().all()


def test_gdn_is_not_rounded_by_autocast():
    x, layer = torch.randn(1, 4, 3, 3), GDN(4)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert torch.equal(found, layer(x))


def test_sub_pixels_are_shuffled_channels():
    layer, x = SubPixel(3, 5, 2), torch.randn(2, 3, 4, 6)
    want = F.conv2d(x, layer[0].weight, layer[0].bias, padding=1)
    assert torch.equal(layer(x), F.pixel_shuffle(want, 2))
    found = layer(
        x
    )  # output channel c at (2y + i, 2x + j) is channel 4c + 2i + j of the convolution
    assert found[1, 2, 2 * 3 + 1, 2 * 4 + 0] == want[1, 4 * 2 + 2 * 1 + 0, 3, 4]


def test_a_transposed_convolution_is_the_transpose():
    """<up(y), x> = <y, down(x)> for the same weights without biases."""
    up, down = transposed(4, 3), convolution(3, 4, 5, 2)
    with torch.no_grad():
        down.weight.copy_(up.weight)
        for layer in (up, down):
            layer.bias.zero_()
    x, y = torch.randn(1, 3, 8, 12), torch.randn(1, 4, 4, 6)
    assert torch.isclose((up(y) * x).sum(), (y * down(x)).sum(), atol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(8, 6), (7, 5), (1, 1)])
def test_strides_halve_sides_rounded_up(kernel, height, width):
    x = torch.randn(1, 2, height, width)
    assert convolution(2, 3, kernel)(x).shape == (1, 3, height, width)
    halved = (1, 3, -(-height // 2), -(-width // 2))
    assert convolution(2, 3, kernel, 2)(x).shape == halved
    assert ResidualBlockDown(2, 3)(x).shape == halved
    doubled = (1, 3, 2 * height, 2 * width)
    for layer in (transposed(2, 3), SubPixel(2, 3), ResidualBlockUp(2, 3)):
        assert layer(x).shape == doubled
    for layer in (ResidualBlock(2, 3), ResidualBottleneck(2, 3), ResidualBlockDown(2, 3, stride=1)):
        assert layer(x).shape == (1, 3, height, width)
    assert ConvolutionalAttention(2)(x).shape == x.shape


def test_the_way_around_a_strided_block_is_a_strided_convolution():
    skip = ResidualBlockDown(3, 5).skip
    x = torch.randn(1, 3, 7, 8)
    want = torch.nn.functional.conv2d(x, skip.weight, skip.bias, stride=2)
    assert torch.allclose(skip(x), want, atol=1e-6)
    assert ResidualBlockDown(3, 5)(x).shape == (1, 5, 4, 4)


def test_a_strided_block_learns_in_channels_last_order():
    """A strided 1x1 convolution of torch 2.13 with 3 channels ends the process here."""
    block = ResidualBlockDown(3, 8).to(memory_format=torch.channels_last)
    for _ in range(3):
        block(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())


def test_the_way_around_a_block_is_straight_where_shapes_allow_it():
    """With its own last weights zero, a block gives what came in."""
    x = torch.randn(1, 4, 5, 5)
    for block, last in (
        (ResidualBlock(4, 4), "conv2"),
        (ResidualBottleneck(4, 4), "conv3"),
        (ResidualBlockDown(4, 4, stride=1), "conv2"),
    ):
        for p in getattr(block, last).parameters():
            torch.nn.init.zeros_(p)
        assert torch.equal(block(x), x)


def test_attention_is_a_gated_branch():
    layer, x = ConvolutionalAttention(4), torch.randn(1, 4, 5, 5)
    gate = layer.conv_b[-1]
    torch.nn.init.zeros_(gate.weight)
    torch.nn.init.constant_(gate.bias, -200.0)
    assert torch.equal(layer(x), x)  # closed
    torch.nn.init.constant_(gate.bias, 200.0)
    assert torch.allclose(layer(x), x + layer.conv_a(x))  # open


def test_attention_looks_three_positions_far():
    layer, x = ConvolutionalAttention(8).double(), torch.zeros(1, 8, 11, 11, dtype=torch.double)
    other = x.clone()
    other[..., 5, 5] = 1.0
    changed = (layer(other) != layer(x)).any(1)[0].nonzero()
    assert changed.min() == 2 and changed.max() == 8


def test_activations_are_chosen_by_name():
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(convolutions.activation("relu")(x), torch.tensor([0.0, 2.0]))
    assert torch.equal(convolutions.activation("leaky_relu")(x), torch.tensor([-0.01, 2.0]))
    assert torch.equal(convolutions.activation("gelu")(x), F.gelu(x))
    with pytest.raises(ValueError, match=r"'tanh' is not one of relu, leaky_relu, gelu"):
        ResidualBlock(2, 2, "tanh")


# Counted in CompressAI 1.2.8: sum(p.numel() for p in layer.parameters()).
COMPRESSAI = [
    (lambda: convolution(192, 320, 3), 553280),
    (lambda: convolution(3, 192, 5, 2), 14592),
    (lambda: transposed(320, 192), 1536192),
    (lambda: SubPixel(192, 3, 2), 20748),
    (lambda: GDN(192), 37056),
    (lambda: ResidualBlock(192, 192), 663936),
    (lambda: ResidualBlock(192, 320), 1536960),
    (lambda: ResidualBlockDown(192, 192), 738048),
    (lambda: ResidualBlockDown(3, 192), 375168),
    (lambda: ResidualBlockUp(192, 192), 3024768),
    (lambda: ResidualBottleneck(192, 192), 120192),
    (lambda: ConvolutionalAttention(192), 758208),
    (lambda: ConvolutionalAttention(320), 2103360),
]


@pytest.mark.parametrize(("build", "count"), COMPRESSAI)
def test_layers_have_as_many_parameters_as_those_of_compressai(build, count):
    with unfilled():
        assert sum(p.numel() for p in build().parameters()) == count


def test_weights_have_the_names_of_compressai():
    with unfilled():
        names = [
            {name for name, _ in block.named_parameters()}
            for block in (ResidualBlockDown(2, 4), ResidualBlockUp(2, 4), ConvolutionalAttention(4))
        ]
    assert {"conv1.weight", "gdn.beta", "gdn.gamma", "skip.bias"} <= names[0]
    assert {"subpel_conv.0.weight", "conv.bias", "igdn.gamma", "upsample.0.bias"} <= names[1]
    assert {"conv_a.2.conv.4.bias", "conv_b.3.weight"} <= names[2]


@pytest.mark.parametrize("activation", convolutions.ACTIVATIONS)
def test_blocks_give_numbers_and_gradients(activation):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        ResidualBlockDown(3, 8, activation),
        ResidualBlock(8, 6, activation),
        ResidualBottleneck(6, 8, activation),
        ConvolutionalAttention(8, activation),
        ResidualBlockUp(8, 3, activation),
    )
    with torch.autocast("cpu", torch.bfloat16):
        found = net(torch.randn(2, 3, 9, 12))
    assert found.isfinite().all()
    found.float().square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters())

"""The convolutional blocks that published image codecs share: strided and sub-pixel, residual, attention, GDN.

Parameters have the names and shapes of CompressAI (github.com/InterDigitalInc/CompressAI), so that its weights
can be loaded. All blocks map (B, I, h, w) to (B, O, h', w'). Strides halve the sides,
rounded up; sub-pixel and transposed convolutions multiply them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.bound import at_least

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,  # slope 0.01
    "gelu": nn.GELU,
}
REPARAM_OFFSET = 2.0**-18  # of the parameters of GDN
BETA_MIN, GAMMA_START = 1e-6, 0.1
GDN_LIMIT = 2.0**16  # bound of the activations in a norm: their squares stay finite


def activation(name: str) -> nn.Module:
    """A layer without parameters: "relu", "leaky_relu" or "gelu". Raises ValueError for others."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is not one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def convolution(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Padded, so that a stride of s gives (B, O, ceil(h / s), ceil(w / s)); the kernel is odd."""
    return nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2)


def convolutions(widths: Sequence[int], kernel: int, activation_name: str) -> nn.Sequential:
    """Convolutions from each width to the next, with activations between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [convolution(before, after, kernel), activation(activation_name)]
    return nn.Sequential(*layers[:-1])


def transposed(
    channels_in: int, channels_out: int, kernel: int = 5, stride: int = 2
) -> nn.ConvTranspose2d:
    """The transpose of `convolution`: (B, I, h, w) to (B, O, h * stride, w * stride)."""
    padding = kernel // 2
    return nn.ConvTranspose2d(
        channels_in, channels_out, kernel, stride, padding=padding, output_padding=stride - 1
    )


class PreciseConvolution(nn.Conv2d):
    """A `convolution` that autocast leaves in float32. It gives y, whose values reach the hundreds."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:  # autocast does not know the meta device
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class SubPixel(nn.Sequential):
    """A convolution whose channels become blocks of pixels: (B, I, h, w) to (B, O, h * factor, w * factor).

    Source: sub-pixel convolution, Shi et al., arXiv:1609.05158.
    """

    def __init__(
        self, channels_in: int, channels_out: int, factor: int = 2, kernel: int = 3
    ) -> None:
        super().__init__(
            convolution(channels_in, channels_out * factor**2, kernel), nn.PixelShuffle(factor)
        )


def _non_negative(parameter: Tensor, least: float) -> Tensor:
    """The value of a parameter of GDN, which is stored as sqrt(value + offset**2)."""
    pedestal = REPARAM_OFFSET**2
    return at_least(parameter, (least + pedestal) ** 0.5).square() - pedestal


class GDN(nn.Module):
    """Generalised divisive normalisation: x_i / n_i with n_i = sqrt(beta_i + sum_j gamma_ij x_j**2).

    `inverse` multiplies by n_i. Autocast leaves it in float32.
    Source: Ballé, Laparra and Simoncelli, arXiv:1511.06281, with the parameters of CompressAI.
    Differs: n is computed from x clamped to +-GDN_LIMIT, and is finite for any input.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        pedestal = REPARAM_OFFSET**2
        self.beta = nn.Parameter(torch.sqrt(torch.ones(channels) + pedestal))
        self.gamma = nn.Parameter(torch.sqrt(GAMMA_START * torch.eye(channels) + pedestal))

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:  # autocast does not know the meta device
            return self._normalised(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._normalised(x.to(self.beta.dtype))

    def _normalised(self, x: Tensor) -> Tensor:
        beta, gamma = _non_negative(self.beta, BETA_MIN), _non_negative(self.gamma, 0.0)
        squares = x.clamp(-GDN_LIMIT, GDN_LIMIT).square()
        square_of_norm = F.conv2d(squares, gamma[:, :, None, None], beta)
        return x * (square_of_norm.sqrt() if self.inverse else square_of_norm.rsqrt())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each with an activation, and a skip connection: (B, I, h, w) to (B, O, h, w).

    Source: Cheng et al., arXiv:2001.01568.
    """

    def __init__(
        self, channels_in: int, channels_out: int, activation_name: str = "leaky_relu"
    ) -> None:
        super().__init__()
        self.conv1 = convolution(channels_in, channels_out)
        self.conv2 = convolution(channels_out, channels_out)
        self.activation = activation(activation_name)
        self.skip = _skip(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.conv2(self.activation(self.conv1(x))))
        return h + self.skip(x)


class ResidualBlockDown(nn.Module):
    """Two 3x3 convolutions, the first with the stride, then GDN: (B, I, h, w) to (B, O, h / 2, w / 2).

    Source: Cheng et al., arXiv:2001.01568.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        activation_name: str = "leaky_relu",
        stride: int = 2,
    ) -> None:
        super().__init__()
        self.conv1 = convolution(channels_in, channels_out, stride=stride)
        self.conv2 = convolution(channels_out, channels_out)
        self.activation, self.gdn = activation(activation_name), GDN(channels_out)
        self.skip = _skip(channels_in, channels_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        h = self.gdn(self.conv2(self.activation(self.conv1(x))))
        return h + self.skip(x)


class ResidualBlockUp(nn.Module):
    """A sub-pixel and a 3x3 convolution, then inverse GDN: (B, I, h, w) to (B, O, 2h, 2w).

    Source: Cheng et al., arXiv:2001.01568.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        activation_name: str = "leaky_relu",
        factor: int = 2,
    ) -> None:
        super().__init__()
        self.subpel_conv = SubPixel(channels_in, channels_out, factor)
        self.conv = convolution(channels_out, channels_out)
        self.activation, self.igdn = activation(activation_name), GDN(channels_out, inverse=True)
        self.upsample = SubPixel(channels_in, channels_out, factor)

    def forward(self, x: Tensor) -> Tensor:
        h = self.igdn(self.conv(self.activation(self.subpel_conv(x))))
        return h + self.upsample(x)


class ResidualBottleneck(nn.Module):
    """A 3x3 convolution at half the width between two 1x1: (B, I, h, w) to (B, O, h, w).

    Source: ELIC, He et al., arXiv:2203.10886.
    """

    def __init__(self, channels_in: int, channels_out: int, activation_name: str = "relu") -> None:
        super().__init__()
        width = min(channels_in, channels_out) // 2
        self.conv1 = convolution(channels_in, width, 1)
        self.conv2 = convolution(width, width)
        self.conv3 = convolution(width, channels_out, 1)
        self.activation = activation(activation_name)
        self.skip = _skip(channels_in, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.conv2(self.activation(self.conv1(x))))
        return self.conv3(h) + self.skip(x)


class _ResidualUnit(nn.Module):
    """A residual bottleneck with an activation after the sum."""

    def __init__(self, channels: int, activation_name: str) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            convolution(channels, channels // 2, 1),
            activation(activation_name),
            convolution(channels // 2, channels // 2),
            activation(activation_name),
            convolution(channels // 2, channels, 1),
        )
        self.activation = activation(activation_name)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.conv(x))


class ConvolutionalAttention(nn.Module):
    """x + a(x) * sigmoid(b(x)), three residual units on each branch: (B, C, h, w) to the same shape.

    Looks 3 positions beyond a position.
    Source: the simplified attention of Cheng et al., arXiv:2001.01568.
    """

    def __init__(self, channels: int, activation_name: str = "relu") -> None:
        super().__init__()

        def units() -> list[nn.Module]:
            return [_ResidualUnit(channels, activation_name) for _ in range(3)]

        self.conv_a = nn.Sequential(*units())
        self.conv_b = nn.Sequential(*units(), convolution(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_a(x) * torch.sigmoid(self.conv_b(x))


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution at every `stride`-th position: (B, I, h, w) to (B, O, h / stride, w / stride).

    Differs from a strided layer of torch: x is subsampled before the convolution. With 3 or 4 channels in
    channels-last order, the gradient of torch's layer writes past its memory on CPUs (torch 2.13).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__(channels_in, channels_out, 1)
        self.every = stride

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, :: self.every, :: self.every])


def _skip(channels_in: int, channels_out: int, stride: int = 1) -> nn.Module:
    """The skip connection of a block: a 1x1 convolution where the output has another shape."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return StridedPointwise(channels_in, channels_out, stride)

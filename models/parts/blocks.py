"""The layers that every transform is made of; all run at stride 8 or coarser, where CPUs are fast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Bounds of a gated product. The largest products of photographs, over all qualities, are 2.0 and 238. Without
# bounds, the activations of dithers and one-pixel patterns grow from block to block until they are NaN.
PIXEL_LIMIT = 2.0  # in transforms, which work in the range of pixels
STEP_LIMIT = 256.0  # in networks that read y, in quantisation steps
RESIDUAL_START = 1e-3  # standard deviation of the last weights of a residual branch: near zero, so
#                        that a network starts as the linear transform around its blocks


class Precise(nn.Conv2d):
    """A pointwise convolution that autocast leaves in float32.

    It stands at both ends of a residual trunk: at high qualities y reaches the hundreds, where bfloat16 has a
    spacing of a half or more. The residual branches, most of the work, tolerate bfloat16.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta:  # autocast does not know the meta device
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def pointwise(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 1)


def depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


class Block(nn.Module):
    """Depth-wise 3x3 mixing, then a gated channel MLP, both residual: (B, C, h, w) to the same shape.

    Source: the depth-wise convolution block of DCVC-RT (arXiv:2502.20762).
    Differs: leaky ReLU and a ReLU gate, which cost less on a CPU; the product of value and gate is bounded,
    and with it the output of the MLP for any input.
    """

    def __init__(self, channels: int, limit: float = PIXEL_LIMIT) -> None:
        super().__init__()
        self.limit = limit
        self.enter = pointwise(channels, channels)
        self.mix = depthwise(channels)
        self.leave = pointwise(channels, channels)
        self.widen = pointwise(channels, 4 * channels)
        self.narrow = pointwise(2 * channels, channels)
        for last in (self.leave, self.narrow):
            nn.init.normal_(last.weight, std=RESIDUAL_START)
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.leave(self.mix(F.leaky_relu(self.enter(x), 0.1)))
        value, gate = self.widen(x).chunk(2, 1)  # (B, 2C, h, w) each
        product = value * F.relu(gate)
        product = F.hardtanh(product, -self.limit, self.limit, inplace=True)
        return x + self.narrow(product)


class Down(nn.Module):
    """(B, I, h, w) to (B, O, h / factor, w / factor): every block of pixels becomes channels."""

    def __init__(self, channels_in: int, channels_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.project = Precise(channels_in * factor * factor, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(F.pixel_unshuffle(x, self.factor))


class Up(nn.Module):
    """(B, I, h, w) to (B, O, h * factor, w * factor): channels become blocks of pixels."""

    def __init__(self, channels_in: int, channels_out: int, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor
        self.project = Precise(channels_in, channels_out * factor * factor)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.project(x), self.factor)


class QualityTable(nn.Module):
    """A factor for each channel that depends on the quality: (B,) in [0, 1] to (B, C, 1, 1).

    exp() of a function that is linear between `knots` evenly spaced qualities.
    """

    def __init__(self, channels: int, knots: int, slope: float = 0.0, middle: float = 0.0) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.empty(knots, channels))
        at = torch.linspace(-0.5, 0.5, knots, device="cpu")[:, None]
        with torch.no_grad():
            self.log.copy_((middle + at * slope).expand(knots, channels))

    def forward(self, t: Tensor) -> Tensor:
        return torch.exp(self.logarithm(t))

    def logarithm(self, t: Tensor) -> Tensor:
        """(B, C, 1, 1) the natural logarithm of the factors."""
        last = self.log.shape[0] - 1
        position = t.clamp(0, 1) * last
        low = position.floor().clamp(max=last - 1).long()
        part = (position - low)[:, None]
        return (self.log[low] * (1 - part) + self.log[low + 1] * part)[:, :, None, None]

"""Analysis and synthesis of four 5x5 convolutions with GDN between them, the hyper-analysis, configuration.

Source: arXiv:1802.01436, the transforms of the factorised and hyperprior models; arXiv:1809.02736 uses them
without change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacre.models.family import Reach
from nacre.models.parts.convolutions import GDN, convolution, transposed

KERNEL = 5
STRIDE_OF_ALL = 16
HALO = 2  # positions: 30 pixels on each side
MOST_CHANNELS = 4096
MIDDLE = 0.5  # of the range of x: the picture to start from
HYPER_START = 32.0  # initial factor of the last weights of h_a: h_s learns nothing from z = 0


@dataclass(frozen=True)
class GdnConfig:
    """The fields of all models with these transforms.

    Defaults are the published widths for high rates; low rates have 128 and 192 channels.
    """

    width: int = 192  # channels of the layers of the transforms (N)
    latent: int = 320  # of y, at stride 16 (M)
    knots: int = 10  # of the quality tables
    lambda_min: float = 0.0012  # at quality 1; loss = bits per pixel + lambda * MSE on 0..255
    lambda_max: float = 1.0901  # at quality 100

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, value in vars(self).items():
            least = 0 if name.startswith("lambda") else 1
            if not isinstance(value, bool) and not (least <= value <= MOST_CHANNELS and value):
                raise ValueError(
                    f"{name} is {value!r}: expected a number from {least} to {MOST_CHANNELS}"
                )
        if self.knots < 2 or self.lambda_min > self.lambda_max:
            raise ValueError("knots is under 2, or lambda_min over lambda_max")


class GdnAnalysis(nn.Sequential):
    """g_a: x (B, 3, H, W), sides multiples of 16, to (B, M, H/16, W/16)."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__(*_analysis(width, latent))


def _analysis(width: int, latent: int) -> Iterator[nn.Module]:
    for channels in (3, width, width):
        yield convolution(channels, width, KERNEL, 2)
        yield GDN(width)
    yield convolution(width, latent, KERNEL, 2)


class GdnSynthesis(nn.Sequential):
    """g_s: y_hat (B, M, h, w) to (B, 3, 16h, 16w), not clamped."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__(*_synthesis(width, latent))
        last = self[-1]
        assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
        nn.init.constant_(last.bias, MIDDLE)


def _synthesis(width: int, latent: int) -> Iterator[nn.Module]:
    for channels in (latent, width, width):
        yield transposed(channels, width, KERNEL)
        yield GDN(width, inverse=True)
    yield transposed(width, 3, KERNEL)


class HyperConvolutions(nn.Sequential):
    """h_a: y (B, M, h, w), sides multiples of 4, to z (B, Z, h/4, w/4); of |y| with `is_of_magnitudes`."""

    def __init__(
        self, latent: int, width: int, hyper: int, slope: float, is_of_magnitudes: bool = False
    ) -> None:
        super().__init__(
            convolution(latent, width),
            nn.LeakyReLU(slope),
            convolution(width, width, KERNEL, 2),
            nn.LeakyReLU(slope),
            convolution(width, hyper, KERNEL, 2),
        )
        self.is_of_magnitudes = is_of_magnitudes
        last = self[-1]
        assert isinstance(last, nn.Conv2d)
        with torch.no_grad():
            last.weight.mul_(HYPER_START)

    def forward(self, y: Tensor) -> Tensor:
        z: Tensor = super().forward(y.abs() if self.is_of_magnitudes else y)
        return z


def gdn_reach(config: GdnConfig) -> Reach:
    """Bytes are estimates: a block holds four tensors of the width at stride 2, a search sixteen."""
    finest = 4 * config.width / 4  # bytes of one tensor at stride 2, for a pixel
    planes = 4 * config.latent / STRIDE_OF_ALL**2
    return Reach(STRIDE_OF_ALL, HALO, 4 * finest, 4 * planes, 24 * planes, 16 * finest)

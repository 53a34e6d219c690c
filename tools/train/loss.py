"""The training loss: rate and distortion, weighted to give qualities and pictures similar influence."""

from __future__ import annotations

from torch import Tensor

from nacre.models.parts.rate import Coded

LEVELS = 255.0
TYPICAL_MSE = 60.0  # MSE at which lambda * MSE equals the bits per pixel, roughly
SMALL_COST = 0.1  # added before the logarithm; limits the weight of crops that cost little


def weighted_loss(bpp: Tensor, mse: Tensor, lmbda: Tensor) -> Tensor:
    """(n,) rate-distortion cost, normalised to similar values at all qualities.

    Without it, the highest quality would cost a hundred times as much as the lowest and dominate the gradient.
    """
    return (lmbda * mse + bpp) / (lmbda * TYPICAL_MSE).sqrt().clamp(min=0.3)


def relative_loss(loss: Tensor) -> Tensor:
    """(n,) the logarithm of weighted losses, which training minimises: equal relative gains count equally.

    The mean PSNR and the mean BD-rate over pictures weigh pictures similarly. Without the logarithm, busy crops
    would dominate the mean: they cost ten times as much as smooth ones.
    """
    return (loss + SMALL_COST).log()


def rate_and_error(coded: Coded, x: Tensor) -> tuple[Tensor, Tensor]:
    """Bits per pixel and MSE on the 0..255 scale, each (n,)."""
    pixels = x.shape[2] * x.shape[3]
    return coded.bits / pixels, (coded.x_hat - x).square().mean((1, 2, 3)) * LEVELS**2

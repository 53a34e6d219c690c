"""The training loss: rate and distortion, weighted so that qualities and pictures count alike."""

from __future__ import annotations

from torch import Tensor

from nacre.models.parts.rate import Coded

LEVELS = 255.0
TYPICAL_MSE = 60.0  # MSE at which lambda * MSE equals the bits per pixel, roughly
SMALL_COST = 0.1  # added before the logarithm; limits the weight of crops that cost little


def weighted_loss(bpp: Tensor, mse: Tensor, lmbda: Tensor) -> Tensor:
    """(n,) rate-distortion cost, normalised so that all qualities have about the same cost.

    The cost of the highest quality is a hundred times that of the lowest and would dominate the gradient.
    """
    return (lmbda * mse + bpp) / (lmbda * TYPICAL_MSE).sqrt().clamp(min=0.3)


def relative_loss(loss: Tensor) -> Tensor:
    """(n,) the logarithm of weighted losses, which is minimised: equal relative gains count equally.

    Means of PSNR and BD-rate over pictures weigh pictures in the same way. The cost of a busy crop is ten
    times that of a smooth one and would dominate the mean.
    """
    return (loss + SMALL_COST).log()


def rate_and_error(coded: Coded, x: Tensor) -> tuple[Tensor, Tensor]:
    """Bits per pixel and MSE on the 0..255 scale, each (n,)."""
    pixels = x.shape[2] * x.shape[3]
    return coded.bits / pixels, (coded.x_hat - x).square().mean((1, 2, 3)) * LEVELS**2

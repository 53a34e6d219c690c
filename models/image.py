"""The image model: transforms and priors put together, and the pass that training runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacre.entropy.walk import STEPS, Step, drive, walk
from nacre.models.config import HYPER_STRIDE, STRIDE, ImageConfig
from nacre.models.prior import HyperAnalysis, HyperScale, HyperSynthesis, MeanContext
from nacre.models.scales import LOG2_MAX, LOG2_MIN, ScaleNet
from nacre.models.transforms import Analysis, Synthesis

LIKELIHOOD_FLOOR = 1e-9  # keeps the logarithm finite; 30 bits


@dataclass(frozen=True)
class Coded:
    """What a pass of the model gives: the picture and what it costs."""

    x_hat: Tensor  # (B, 3, H, W) unclamped
    bits_y: Tensor  # (B,)
    bits_z: Tensor  # (B,)

    @property
    def bits(self) -> Tensor:
        return self.bits_y + self.bits_z


def gaussian_bits(x: Tensor, scale: Tensor) -> Tensor:
    """Bits of each x under a zero-mean Gaussian integrated over [x - 1/2, x + 1/2].

    Source: Balle et al., arXiv:1802.01436.
    """
    magnitude, width = x.abs(), 0.5**0.5 / scale
    upper = torch.erfc((magnitude - 0.5) * width) - torch.erfc((magnitude + 0.5) * width)
    return -torch.log2((0.5 * upper).clamp_min(LIKELIHOOD_FLOOR))


def straight_through(x: Tensor) -> Tensor:
    """Rounded, with the gradient of x."""
    return x + (x.round() - x).detach()


def value_free(x: Tensor) -> Tensor:
    """Zero, with the gradient of x."""
    return x - x.detach()


class TrainingPrior:
    """The prior in floats; in place of table rows it gives log2 of the scale."""

    def __init__(self, model: ImageModel, z_hat: Tensor, shape: torch.Size) -> None:
        """z_hat (B, Z, h, w); `shape` is that of y, which may be smaller than what z_hat covers."""
        self._model = model
        height, width = shape[2:]
        self.features = model.hyper_synthesis(z_hat)[:, :, :height, :width]
        self._hyper = model.scales.hyper(z_hat)[:, :, :height, :width]

    def mean(self, y_hat: Tensor, step: int) -> Tensor:
        return self._model.means(self.features, y_hat, step)

    def rows(self, magnitudes: Tensor, step: int) -> Tensor:
        return self._model.scales(self._hyper, magnitudes, step)


class ImageModel(nn.Module):
    """Analysis, synthesis, hyperprior, mean context and scale network of one configuration."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        self.analysis = Analysis(config)
        self.synthesis = Synthesis(config)
        self.hyper_analysis = HyperAnalysis(config)
        self.hyper_synthesis = HyperSynthesis(config)
        self.hyper_scale = HyperScale(config)
        self.means = MeanContext(config)
        self.scales = ScaleNet(config)

    def forward(self, x: Tensor, t: Tensor, hard: bool = False) -> Coded:
        """x (B, 3, H, W) in [0, 1], sides multiples of 64, at qualities t (B,) in [0, 1].

        What is decoded is rounded (straight through); the rate is estimated with uniform noise, or
        from the rounded symbols when `hard`.
        """

        def disturbed(v: Tensor) -> Tensor:
            return v.round() if hard else v + torch.rand_like(v) - 0.5

        y = self.analysis(x, t)
        z = self.hyper_analysis(y)
        scale_z = self.hyper_scale(t).clamp(2.0**LOG2_MIN, 2.0**LOG2_MAX)
        bits_z = gaussian_bits(disturbed(z), scale_z).sum((1, 2, 3))
        prior = TrainingPrior(self, straight_through(z), y.shape)
        residual, log2_scale = torch.zeros_like(y), torch.zeros_like(y)

        def answer(step: Step) -> Tensor:
            nonlocal residual, log2_scale
            difference = y - step.mean
            residual = torch.where(step.where, difference, residual)
            log2_scale = torch.where(step.where, step.rows, log2_scale)
            return straight_through(difference)

        y_hat = drive(walk(prior, y.shape, y.device), answer)
        # The bits of all steps at once, from the assembled residual: cheaper than step by step.
        scale = torch.exp2(log2_scale.clamp(LOG2_MIN, LOG2_MAX))
        bits_y = gaussian_bits(disturbed(residual), scale.detach())
        # Scales learn from whole symbols, which are what they are used on: noise makes what is nearly
        # always zero look wider. What the transforms and means get remains smooth.
        bits_y = bits_y + value_free(gaussian_bits(residual.detach().round(), scale))
        return Coded(self.synthesis(y_hat, prior.features, t), bits_y.sum((1, 2, 3)), bits_z)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def multiplications(model: ImageModel) -> dict[str, float]:
    """Multiply-accumulates for one pixel, in thousands: of "encode", of "decode".

    Counted from the convolutions and the strides that they run at; a step of the context runs
    at every position of the latent.
    """

    def cost(module: nn.Module, stride: float) -> float:
        """All convolutions of a part, following its changes of resolution."""
        total = 0.0
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                per_output = layer.in_channels // layer.groups * layer.kernel_size[0] ** 2
                total += layer.out_channels * per_output / stride**2
        return total

    a, s, hyper = model.analysis, model.synthesis, STRIDE * HYPER_STRIDE
    analysis = cost(a.stride8, 8) + cost(a.stride16, STRIDE) + cost(a.leave, STRIDE)
    analysis += cost(a.bypass, STRIDE)
    synthesis = cost(s.enter, STRIDE) + cost(s.stride16, STRIDE) + cost(s.stride8, 8)
    synthesis += cost(s.bypass, STRIDE)
    ha, hs, scales = list(model.hyper_analysis), list(model.hyper_synthesis), model.scales
    hyper_analysis = cost(ha[0], STRIDE) + cost(ha[1], 32) + cost(ha[2], 32) + cost(ha[3], hyper)
    hyper_synthesis = cost(hs[0], hyper) + cost(hs[1], 32) + cost(hs[2], 32)
    means = cost(model.means.enter, STRIDE) + cost(model.means.leave, STRIDE)
    means += STEPS * cost(model.means.shared, STRIDE)
    rows = cost(scales.up1, hyper) + cost(scales.mix, 32) + cost(scales.up2, 32)
    rows += sum(
        cost(part, STRIDE) for part in (scales.step_enter, scales.step_mix, scales.step_leave)
    )
    context = hyper_synthesis + means + rows
    return {
        "encode": (analysis + hyper_analysis + context) / 1000,
        "decode": (context + synthesis) / 1000,
    }

"""Latent residual prediction: a correction of decoded elements of y that undoes part of their rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.models.parts.convolutions import convolutions

LARGEST_RESIDUAL = 0.5  # quantisation steps: no more than rounding takes away


class ResidualPrediction(nn.Sequential):
    """0.5 * tanh of three convolutions: decoded features (B, I, h, w) to residuals (B, O, h, w), in steps.

    Source: Minnen and Singh, arXiv:2007.08739, with 5x5 kernels and ReLU.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 5,
        activation_name: str = "relu",
        widths: tuple[int, int] = (224, 128),
    ) -> None:
        super().__init__(
            *convolutions((channels_in, *widths, channels_out), kernel, activation_name)
        )

    def forward(self, known: Tensor) -> Tensor:
        return LARGEST_RESIDUAL * torch.tanh(super().forward(known))

"""Generalised divisive normalisation: each channel is divided by a norm of all channels at its position.

Source: Balle, Laparra and Simoncelli, arXiv:1511.06281.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BETA_LEAST = 1e-6  # keeps the norm over zero
GAMMA_START, GAMMA_START_OTHERS = 0.1, 1e-6  # of a channel for itself, and for others


class DivisiveNorm(nn.Module):
    """(B, C, h, w) to the same: x[i] / sqrt(beta[i] + sum over j of gamma[i, j] * x[j]**2).

    beta and gamma are squares of the parameters, so that they are not negative.
    Differs: no lower bound with a gradient of its own; gamma starts over zero, where a square has a gradient.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.root_beta = nn.Parameter(torch.empty(channels))
        self.root_gamma = nn.Parameter(torch.empty(channels, channels))
        nn.init.ones_(self.root_beta)
        nn.init.constant_(self.root_gamma, GAMMA_START_OTHERS**0.5)
        with torch.no_grad():
            self.root_gamma.diagonal().fill_(GAMMA_START**0.5)

    def forward(self, x: Tensor) -> Tensor:
        beta = self.root_beta.square() + BETA_LEAST
        gamma = self.root_gamma.square()[:, :, None, None]
        return x * F.conv2d(x.square(), gamma, beta).rsqrt()

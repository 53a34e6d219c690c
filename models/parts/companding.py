"""Companding to the range of a signed byte: Gaussian values become nearly uniform, and none is out of range.

Source: WaLLoC, arXiv:2412.09405. Differs: the slope at zero is 1, so that near zero a
quantisation step of the companded value is a step of the value itself; gains before companding set its size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LIMIT = 127.499  # magnitudes stay at or below it: rounded, they are signed bytes
DEVIATION = 2 * LIMIT / math.sqrt(2 * math.pi)  # a Gaussian of this deviation becomes uniform
SHARE_TOP = 0.9998  # of LIMIT, where the inverse stops growing: 3.7 standard deviations


def compress(x: Tensor) -> Tensor:
    """2 * LIMIT * (Phi(x / DEVIATION) - 1/2): monotone, slope 1 at zero, within +-LIMIT."""
    return LIMIT * torch.erf(x.float() * (0.5**0.5 / DEVIATION))


def expand(y: Tensor) -> Tensor:
    """Undo `compress`; finite for every finite y."""
    share = (y.float() / LIMIT).clamp(-SHARE_TOP, SHARE_TOP)
    return torch.erfinv(share) * (DEVIATION * 2**0.5)

"""A lower bound whose gradient lets values below the bound rise.

Source: the lower bound of the entropy models of arXiv:1802.01436.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _AtLeast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        passes = (x >= ctx.bound) | (gradient < 0)
        return torch.where(passes, gradient, 0.0), None


def at_least(x: Tensor, bound: float) -> Tensor:
    """max(x, bound). The gradient passes where x >= bound; below, it passes where a step would raise x."""
    found: Tensor = _AtLeast.apply(x, bound)  # type: ignore[no-untyped-call]
    return found

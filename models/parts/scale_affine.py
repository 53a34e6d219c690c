"""Scale Affine Layer: every channel at every position is scaled and shifted by learned functions of x there.

Source: SegPIC, arXiv:2403.00628.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import pointwise

SCALE_LIMIT = 16.0  # of `scale`, which is added to one; bounds the product of two features


class ScaleAffine(nn.Module):
    """(B, C, h, w) to the same shape: x * (1 + scale) + shift, both from a pointwise network of x.

    Differs: the scale is bounded.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter, self.leave = pointwise(channels, channels), pointwise(channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        scale, shift = self.leave(F.gelu(self.enter(x))).chunk(2, 1)
        return x * (1 + scale.clamp(-SCALE_LIMIT, SCALE_LIMIT)) + shift

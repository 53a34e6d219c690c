"""Motion compensation of latent planes, in whole positions."""

from __future__ import annotations

import torch
from torch import Tensor

from nacre.codec.motion.field import BLOCK, UNITS, MotionField, block_vectors

PER_POSITION = BLOCK * UNITS  # units of a vector for one position of stride 16


def fetched(plane: Tensor, field: MotionField) -> Tensor:
    """(1, C, h, w) prediction of a plane at stride 16 by a motion field; zero in INTRA blocks.

    Vectors are rounded to whole positions, half up; positions outside the plane are clamped to its edges.
    """
    height, width = plane.shape[2:]
    vectors = torch.from_numpy(block_vectors(field))[:height, :width].long()
    away = (vectors + PER_POSITION // 2).div(PER_POSITION, rounding_mode="floor")
    y = (torch.arange(height)[:, None] + away[..., 0]).clamp(0, height - 1)
    x = (torch.arange(width) + away[..., 1]).clamp(0, width - 1)
    mask = torch.from_numpy(field.is_predicted[:height, :width]).to(plane)
    return plane[:, :, y.to(plane.device), x.to(plane.device)] * mask

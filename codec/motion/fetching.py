"""Fetches planes of a latent along a motion field, in whole positions."""

from __future__ import annotations

import torch
from torch import Tensor

from nacre.codec.motion.field import BLOCK, UNITS, MotionField, block_vectors

PER_POSITION = BLOCK * UNITS  # units of a vector for one position of stride 16


def fetched(plane: Tensor, field: MotionField) -> Tensor:
    """(1, C, h, w) the elements that the vectors point to, from a plane at stride 16; zero where a block is
    not predicted. Vectors are rounded to positions, half up, and end at the edges.
    """
    height, width = plane.shape[2:]
    vectors = torch.from_numpy(block_vectors(field))[:height, :width].long()
    away = (vectors + PER_POSITION // 2).div(PER_POSITION, rounding_mode="floor")
    y = (torch.arange(height)[:, None] + away[..., 0]).clamp(0, height - 1)
    x = (torch.arange(width) + away[..., 1]).clamp(0, width - 1)
    mask = torch.from_numpy(field.is_predicted[:height, :width]).to(plane)
    return plane[:, :, y.to(plane.device), x.to(plane.device)] * mask

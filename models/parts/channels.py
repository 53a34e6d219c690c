"""Rows by channel: for planes whose tables depend on channel and quality alone, such as a hyper-latent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.entropy.errors import WeightsError
from nacre.models.parts.blocks import QualityTable

RowTable = NDArray[np.uint8] | NDArray[np.uint16]  # (qualities, C); 16 bits for over 256 rows


class ChannelScales(QualityTable):
    """The scale of a plane for each channel and quality, in floats, for training: (B,) to (B, C, 1, 1)."""

    def log2_scale(self, t: Tensor, shape: torch.Size) -> Tensor:
        """(B, C, h, w) rows of a float prior."""
        return (self.logarithm(t) / math.log(2)).expand(shape)


def rows_of_channels(table: RowTable, quality: int, shape: torch.Size) -> Tensor:
    """(1, C, h, w) rows of a plane at a quality of 1..; `shape` is the plane's. uint8, or int16 for 16 bits."""
    row = table[quality - 1]
    rows = torch.from_numpy(row if row.dtype == np.uint8 else row.astype(np.int16))
    return rows[None, :, None, None].expand(shape)


def read_row_table(
    arrays: Mapping[str, NDArray[Any]], plane: str, qualities: int, channels: int
) -> RowTable:
    """The array `tables.PLANE.rows` of a weights file. Raises WeightsError."""
    key = row_table_key(plane)
    found = arrays.get(key)
    is_table = found is not None and found.dtype in (np.uint8, np.uint16)
    if found is None or not is_table or found.shape != (qualities, channels):
        raise WeightsError(f"weights: {key} is not ({qualities}, {channels}) of uint8 or uint16")
    if int(found.max()) >= len(arrays[f"tables.{plane}.radius"]):
        raise WeightsError(f"weights: {key} names a row that has no table")
    return np.asarray(found)


def row_table_key(plane: str) -> str:
    return f"tables.{plane}.rows"


def band_rows(qualities: int, channels: int, bands: int) -> RowTable:
    """(qualities, C) rows: each channel has a table of its own in each of `bands` bands of quality."""
    band = np.minimum(np.arange(qualities) * bands // max(qualities - 1, 1), bands - 1)
    rows = band[:, None] * channels + np.arange(channels)
    return rows.astype(np.uint8) if bands * channels <= 256 else rows.astype(np.uint16)


def band_scales(scales: ChannelScales, bands: int) -> tuple[float, ...]:
    """The standard deviation of each row of `band_rows`: the channel's scale in the middle of the band."""
    with torch.inference_mode():
        middles = (torch.arange(bands, dtype=torch.float32, device=scales.log.device) + 0.5) / bands
        return tuple(scales(middles)[..., 0, 0].flatten().tolist())

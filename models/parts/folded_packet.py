"""A wavelet packet of a picture and a pointwise layer behind it in one go: the fast form for encoders.

Both are linear, so they are matrices that the weights give: one product along the columns of the picture, and
one strided convolution along its rows that contains the pointwise layer. A picture is read and written once by
each. `packet_and_project` is the plain form; both give the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nacre.models.parts.wavelets import AxisMatrices, analysis, axis_matrices

PIECE = 16  # positions along the columns that are split at a time
CHANNEL_UNIT = 16  # convolutions of so many channels take less time than those of fewer


def packet_and_project(
    x: Tensor, weight: Tensor, bias: Tensor, wavelet: str, levels: int
) -> Tensor:
    """x (B, C, H, W), sides multiples of 2**levels, to (B, M, h, w); weight (M, C * 4**levels, 1, 1)."""
    return F.conv2d(analysis(x, wavelet, levels), weight, bias)


def folded_packet(x: Tensor, weight: Tensor, bias: Tensor, wavelet: str, levels: int) -> Tensor:
    """The same; float32, on any device."""
    factor = 2**levels
    height, width = (side // factor for side in x.shape[2:])
    matrices = axis_matrices(wavelet, levels)
    if min(height, width) <= 2 * matrices.edge:
        return packet_and_project(x, weight, bias, wavelet, levels)
    by_band = weight.reshape(weight.shape[0], x.shape[1], factor, factor)  # (M, C, rows, columns)
    if not matrices.edge:  # blocks that do not overlap
        middle = matrices.middle.to(x.device)
        kernel = torch.einsum("mcij,iy,jx->mcyx", by_band, middle, middle)
        return F.conv2d(x, _channels_last(kernel), bias, factor)
    along = _AlongRows.of(by_band, matrices)
    pictures = [
        torch.cat([along(rows) for rows in _row_bands(one, matrices)], 2) + bias[:, None, None]
        for one in x
    ]
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


def _row_bands(picture: Tensor, matrices: AxisMatrices) -> Iterator[Tensor]:
    """(C, H, W) split along its columns, downwards, in pieces that stay in a cache.

    (1, C, rows, W), with channels last in memory; row = position * bands + band.
    """
    channels, height, width = picture.shape
    rows = picture.permute(1, 2, 0).reshape(height, width * channels)
    first, middle, last = (m.to(rows) for m in (matrices.first, matrices.middle, matrices.last))
    bands, reach = middle.shape

    def piece(found: Tensor) -> Tensor:
        return found.view(1, -1, width, channels).permute(0, 3, 1, 2)

    yield piece(first.flatten(0, 1) @ rows[: matrices.window])
    end = height // bands - matrices.edge
    for position in range(matrices.edge, end, PIECE):
        count = min(PIECE, end - position)
        top = rows[position * bands - matrices.before :]
        windows = top.as_strided(
            (count, reach, rows.shape[1]),
            (bands * rows.shape[1], *rows.stride()),
            top.storage_offset(),
        )
        yield piece(torch.bmm(middle.expand(count, bands, reach), windows))
    yield piece(last.flatten(0, 1) @ rows[height - matrices.window :])


@dataclass(frozen=True)
class _AlongRows:
    """The packet along the rows of a picture, and the pointwise layer, in products that are made once."""

    matrices: AxisMatrices
    channels: int  # M
    kernel: Tensor  # (M or more, C, bands, K) of all positions but those at the borders
    first: Tensor  # (C * bands * window, edge * M) of the positions at the start of a row
    last: Tensor  # the same, at its end

    @classmethod
    def of(cls, by_band: Tensor, matrices: AxisMatrices) -> _AlongRows:
        """`by_band` (M, C, rows, columns) is the weight of each band."""
        first, middle, last = (
            m.to(by_band) for m in (matrices.first, matrices.middle, matrices.last)
        )
        # The window begins at a position, so that the convolution needs no padding and no copy.
        kernel = F.pad(torch.einsum("mcij,jx->mcix", by_band, middle), (_skipped(matrices), 0))
        kernel = F.pad(kernel, (0, 0, 0, 0, 0, 0, 0, -len(kernel) % CHANNEL_UNIT))
        borders = (
            torch.einsum("mcij,pjx->cixpm", by_band, own).flatten(0, 2).flatten(1)
            for own in (first, last)
        )
        return cls(matrices, len(by_band), _channels_last(kernel), *borders)

    def __call__(self, bands: Tensor) -> Tensor:
        """(1, C, H, W) bands of rows to (1, M, h, w), without the bias."""
        matrices, factor = self.matrices, self.kernel.shape[2]
        edge, window = matrices.edge, matrices.window
        inner = F.conv2d(bands, self.kernel, stride=factor)[:, : self.channels]
        begin = edge - (matrices.before + _skipped(matrices)) // factor
        inner = inner[..., begin : begin + bands.shape[3] // factor - 2 * edge]

        def border(own: Tensor, columns: Tensor) -> Tensor:
            """(1, M, h, edge)"""
            seen = (
                columns[0].unflatten(1, (-1, factor)).transpose(0, 1).flatten(1)
            )  # (h, C * bands * window)
            return (seen @ own).unflatten(1, (edge, -1)).permute(2, 0, 1)[None]

        first, last = bands[..., :window], bands[..., -window:]
        return torch.cat((border(self.first, first), inner, border(self.last, last)), 3)


def _skipped(matrices: AxisMatrices) -> int:
    """Samples before those that a position sees, back to the start of a position."""
    return -matrices.before % matrices.middle.shape[0]


def _channels_last(kernel: Tensor) -> Tensor:
    return kernel.contiguous(memory_format=torch.channels_last)

"""A wavelet packet of a picture and a pointwise layer behind it in one go: the fast form for encoders.

Both are linear, so they are matrices that the weights give: one product along the columns of the picture, and
one strided convolution along its rows that contains the pointwise layer. A picture is read and written once by
each. `packet_and_project` is the plain form; both give the same but for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

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
    pictures = [
        torch.cat(
            [_along_rows(rows, by_band, bias, matrices) for rows in _row_bands(one, matrices)], 2
        )
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


def _along_rows(bands: Tensor, by_band: Tensor, bias: Tensor, matrices: AxisMatrices) -> Tensor:
    """(B, C, H, W) bands of rows to (B, M, h, w)."""
    factor, edge, window = by_band.shape[2], matrices.edge, matrices.window
    width = bands.shape[3] // factor
    first, middle, last = (m.to(bands) for m in (matrices.first, matrices.middle, matrices.last))
    # The window begins at a position, so that the convolution needs no padding and no copy.
    skipped = -matrices.before % factor
    kernel = F.pad(torch.einsum("mcij,jx->mcix", by_band, middle), (skipped, 0))
    kernel = F.pad(kernel, (0, 0, 0, 0, 0, 0, 0, -len(kernel) % CHANNEL_UNIT))
    inner = F.conv2d(bands, _channels_last(kernel), stride=factor)[:, : len(bias)]
    begin = edge - (matrices.before + skipped) // factor
    inner = inner[..., begin : begin + width - 2 * edge]

    def border(own: Tensor, columns: Tensor) -> Tensor:
        """(B, M, h, edge) the positions of `own` (edge, bands, window)."""
        of_border = torch.einsum("mcij,pjx->pmcix", by_band, own).flatten(0, 1)
        found = F.conv2d(columns, of_border, stride=(factor, 1))
        return found[..., 0].unflatten(1, (edge, -1)).permute(0, 2, 3, 1)

    parts = (border(first, bands[..., :window]), inner, border(last, bands[..., -window:]))
    return torch.cat(parts, 3) + bias[:, None, None]


def _channels_last(kernel: Tensor) -> Tensor:
    return kernel.contiguous(memory_format=torch.channels_last)

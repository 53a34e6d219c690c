"""A wavelet packet of a picture and a pointwise layer behind it in one go: the fast form for encoders.

Lifting works in place on strips that stay in a cache, down the columns and then along the rows. Bands are not
moved: those of a position stay where its samples were. The weights are brought into that order, and take up the
gains of the filters. `packet_and_project` is the plain form; both give the same but for rounding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nacre.models.parts.wavelets import WAVELETS, Lifting, analysis

STRIP = 1 << 19  # values that are lifted at a time


def packet_and_project(
    x: Tensor, weight: Tensor, bias: Tensor, wavelet: str, levels: int
) -> Tensor:
    """x (B, C, H, W), sides multiples of 2**levels, to (B, M, h, w); weight (M, C * 4**levels, 1, 1)."""
    return F.conv2d(analysis(x, wavelet, levels), weight, bias)


def lifted_packet(x: Tensor, weight: Tensor, bias: Tensor, wavelet: str, levels: int) -> Tensor:
    """The same, without a gradient."""
    lifting, factor = WAVELETS[wavelet], 2**levels
    own = _in_place_order(weight, lifting, levels)
    pictures = [_rows(_columns(one, lifting, levels), own, bias, lifting, levels) for one in x]
    height, width = (side // factor for side in x.shape[2:])
    return torch.stack(pictures).view(len(x), len(weight), height, width)


def _columns(picture: Tensor, lifting: Lifting, levels: int) -> Tensor:
    """(C, H, W) lifted down its columns, as (W, C, H)."""
    channels, height, width = picture.shape
    lifted = picture.new_empty(width, channels, height)
    for planes, out in zip(picture, lifted.unbind(1), strict=True):
        count = max(1, STRIP // height)
        for strip, into in zip(planes.split(count, 1), out.split(count), strict=True):
            into.copy_(_lift(strip.clone(memory_format=torch.contiguous_format), lifting, levels).T)
    return lifted


def _rows(columns: Tensor, weight: Tensor, bias: Tensor, lifting: Lifting, levels: int) -> Tensor:
    """(W, C, H), which may be overwritten, lifted along W, and the pointwise layer: (M, h * w).

    The weight is (M, C * bands).
    """
    width, channels, _ = columns.shape
    factor = 2**levels
    count = max(1, STRIP // (channels * width * factor)) * factor
    found = []
    for strip in columns.split(count, 2):
        bands = _lift(strip.reshape(width, -1), lifting, levels)
        bands = bands.view(width // factor, factor, channels, -1, factor).permute(2, 4, 1, 3, 0)
        found.append(torch.addmm(bias[:, None], weight, bands.reshape(weight.shape[1], -1)))
    return torch.cat(found, 1)


def _lift(samples: Tensor, lifting: Lifting, levels: int) -> Tensor:
    """(N, K) lifted along N in place, at all levels, without gains.

    Bit i of the place of a sample within its position tells the band that it went to at level i: 1 is high.
    """
    for level in range(levels):
        bands = samples.view(-1, 2, 1 << level, samples.shape[1]).unbind(1)
        for step, (own, neighbour) in enumerate(lifting.steps):
            changed = 1 - step % 2
            band, other = bands[changed], bands[1 - changed]
            band.add_(other, alpha=own)
            if not neighbour:
                continue
            if changed:  # the sample behind is the neighbour
                band[:-1].add_(other[1:], alpha=neighbour)
                band[-1].add_(other[-1], alpha=neighbour)
            else:
                band[1:].add_(other[:-1], alpha=neighbour)
                band[0].add_(other[0], alpha=neighbour)
    return samples


def _in_place_order(weight: Tensor, lifting: Lifting, levels: int) -> Tensor:
    """Weights (M, C * 4**levels, 1, 1) of a packet as (M, C * 4**levels) of what `_lift` leaves."""
    factor = 2**levels
    place = torch.arange(factor, device=weight.device)
    bits = torch.stack([place >> level & 1 for level in range(levels)])
    path = sum((bit << levels - 1 - level for level, bit in enumerate(bits)), place * 0)
    gain = lifting.scale ** (levels - 2 * bits.sum(0)).to(weight.dtype)
    by_band = weight.reshape(len(weight), -1, factor, factor)[:, :, path][..., path]
    return (by_band * gain[:, None] * gain).flatten(1)

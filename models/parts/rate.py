"""Bits in floats, for training and search: the cost of symbols under a Gaussian, and the training pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nacre.entropy.walk import Planes, Prior, Step, drive, walk
from nacre.models.parts.rows import LOG2_MAX, LOG2_MIN

if TYPE_CHECKING:
    from nacre.models.family import Network

LIKELIHOOD_FLOOR = 1e-9  # keeps the logarithm finite; 30 bits


@dataclass(frozen=True)
class Coded:
    """A decoded picture and its rate."""

    x_hat: Tensor  # (B, 3, H, W), not clamped
    bits_of: Mapping[str, Tensor]  # (B,) by plane
    known: Planes = field(default_factory=dict)  # the planes as decoded, in quantisation steps

    @property
    def bits(self) -> Tensor:
        """(B,) bits of all planes."""
        return torch.stack(list(self.bits_of.values())).sum(0)


def gaussian_bits(x: Tensor, scale: Tensor) -> Tensor:
    """Bits of each x under a zero-mean Gaussian integrated over [x - 1/2, x + 1/2].

    Source: Balle et al., arXiv:1802.01436.
    """
    magnitude, width = x.abs(), 0.5**0.5 / scale
    upper = torch.erfc((magnitude - 0.5) * width) - torch.erfc((magnitude + 0.5) * width)
    return -torch.log2((0.5 * upper).clamp_min(LIKELIHOOD_FLOOR))


def scale_of(log2_scale: Tensor) -> Tensor:
    """The standard deviation for a row of a float prior, clamped to the range of the tables."""
    return torch.exp2(log2_scale.clamp(LOG2_MIN, LOG2_MAX))


def straight_through(x: Tensor) -> Tensor:
    """x rounded, with the gradient of x."""
    return x + (x.round() - x).detach()


def value_free(x: Tensor) -> Tensor:
    """Zero, with the gradient of x."""
    return x - x.detach()


def estimate(network: Network, x: Tensor, t: Tensor, hard: bool = False) -> Coded:
    """x (B, 3, H, W) in [0, 1], at qualities t (B,) in [0, 1]; sides are multiples of every plane's stride.

    The picture is the one that a decoder shows: symbols are rounded (straight through). Bits are estimated
    with uniform noise in place of rounding: an upper bound on the expected bits of symbols that are rounded
    after the same noise (dithered quantisation), but no bound for plain rounding, which costs less where
    symbols are nearly always zero. With `hard`, bits are the cost of rounded symbols under the Gaussian;
    fitted tables make a file smaller (by some 0.7 %), its framing makes it larger.
    """
    planes = network.complete(network.analyse(network.prepare(x), t), t)
    prior = network.prior({name: plane.shape for name, plane in planes.items()}, t)
    known, bits_of = code(prior, planes, hard)
    return Coded(network.synthesise(prior.shown(known), t), bits_of, known)


def code(prior: Prior, planes: Planes, hard: bool = False) -> tuple[Planes, dict[str, Tensor]]:
    """The planes as decoded, and the bits (B,) of each plane; `planes` are not rounded."""
    residual: Planes = {name: torch.zeros_like(plane) for name, plane in planes.items()}
    log2_scale: Planes = {name: torch.zeros_like(plane) for name, plane in planes.items()}

    def answer(step: Step) -> Tensor:
        difference = step.of(planes) - step.mean
        step.put(residual, difference)
        step.put(log2_scale, step.rows)
        return straight_through(difference)

    known = drive(walk(prior, planes[prior.schedule[0].plane].device), answer)
    # The bits of all turns at once, from the assembled planes: cheaper than turn by turn.
    bits_of = {
        name: estimated_bits(residual[name], scale_of(log2_scale[name]), hard).sum((1, 2, 3))
        for name in planes
    }
    return known, bits_of


def estimated_bits(residual: Tensor, scale: Tensor, hard: bool) -> Tensor:
    disturbed = residual.round() if hard else residual + torch.rand_like(residual) - 0.5
    bits = gaussian_bits(disturbed, scale.detach())
    # Scales learn from rounded symbols, as in coding: with noise, symbols that are nearly always zero would
    # seem wider. Transforms and means get the smooth gradient.
    return bits + value_free(gaussian_bits(residual.detach().round(), scale))

"""Makes the integer part of a model, quantised for the activations of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nacre.models.family import Integers, Network, level

QUALITIES_SAMPLED = (1, 16, 31, 46, 60, 75, 90, 100)


def qualities_of(network: Network) -> tuple[int, ...]:
    """The qualities at which a network is sampled; one quality for a network of one rate."""
    return QUALITIES_SAMPLED[-1:] if network.is_one_rate else QUALITIES_SAMPLED


def quantise_on(network: Network, pictures: Sequence[Tensor]) -> Integers:
    """The integers of a network, calibrated on pictures (1, 3, H, W) at all its `qualities_of`."""

    def run() -> None:
        for x in pictures:
            for quality in qualities_of(network):
                network(x, level(quality), hard=True)

    with torch.inference_mode():
        return network.quantise(run)

"""Makes the exact scale network: quantised for the largest activations that pictures cause."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nacre.models.image import ImageModel
from nacre.models.scales import IntegerScales, LargestOutputs, quantise

CALIBRATION_T = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)  # qualities, as the networks know them


@torch.inference_mode()
def quantise_on(network: ImageModel, pictures: Iterable[Tensor]) -> IntegerScales:
    """Run pictures (1, 3, H, W) at all CALIBRATION_T, then quantise the scale network."""
    watch = LargestOutputs(network.scales)
    for x in pictures:
        for t in CALIBRATION_T:
            network(x, torch.tensor([t]), hard=True)
    return quantise(network.scales, watch.close())

"""The shape of a scale hyperprior model: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.gdn_transforms import GdnConfig


@dataclass(frozen=True)
class ScaleHyperpriorConfig(GdnConfig):
    """Widths are channels."""

    hyper: int = 192  # of z, at stride 64; as published, the width

"""The shape of a factorised model: plain numbers, saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.models.parts.gdn_transforms import GdnConfig


@dataclass(frozen=True)
class FactorizedConfig(GdnConfig):
    """Widths are channels."""

    channel_tables: bool = False  # one table per channel for all qualities; else tables by scale

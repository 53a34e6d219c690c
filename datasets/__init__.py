"""Training tensors from pictures on disk, and data sets of coded latents: `LatentDataset` and `pack`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.datasets.latents.dataset import DamagedSampleWarning as DamagedSampleWarning
    from nacre.datasets.latents.dataset import LatentDataset as LatentDataset
    from nacre.datasets.latents.dataset import LatentSample as LatentSample
    from nacre.datasets.latents.packing import pack as pack

_HOMES = {
    "DamagedSampleWarning": "nacre.datasets.latents.dataset",
    "LatentDataset": "nacre.datasets.latents.dataset",
    "LatentSample": "nacre.datasets.latents.dataset",
    "pack": "nacre.datasets.latents.packing",
}
__all__ = ["DamagedSampleWarning", "LatentDataset", "LatentSample", "pack"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

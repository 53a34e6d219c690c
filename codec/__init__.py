"""Pictures to nacre files and back: `codec.encode`, `codec.decode`, `codec.info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.codec.describe import Info as Info
    from nacre.codec.describe import info as info
    from nacre.codec.encoder import encode as encode
    from nacre.codec.image import CutFileWarning as CutFileWarning
    from nacre.codec.image import Opened as Opened
    from nacre.codec.image import Region as Region
    from nacre.codec.image import decode as decode

_HOMES = {
    "encode": "nacre.codec.encoder",
    "decode": "nacre.codec.image",
    "CutFileWarning": "nacre.codec.image",
    "Opened": "nacre.codec.image",
    "Region": "nacre.codec.image",
    "info": "nacre.codec.describe",
    "Info": "nacre.codec.describe",
}
__all__ = ["CutFileWarning", "Info", "Opened", "Region", "decode", "encode", "info"]


def __getattr__(name: str) -> Any:  # so that `nacre info` does not pay for torch
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

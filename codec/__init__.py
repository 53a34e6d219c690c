"""Pictures to nacre files and back: `codec.encode`, `codec.encode_to`, `codec.decode`, `codec.info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nacre.codec.decoder import CutFileWarning as CutFileWarning
    from nacre.codec.decoder import Opened as Opened
    from nacre.codec.decoder import decode as decode
    from nacre.codec.describe import Info as Info
    from nacre.codec.describe import info as info
    from nacre.codec.encoder import encode as encode
    from nacre.codec.region import Region as Region
    from nacre.codec.search.goals import GoalError as GoalError
    from nacre.codec.search.goals import encode_to as encode_to

_HOMES = {
    "encode": "nacre.codec.encoder",
    "encode_to": "nacre.codec.search.goals",
    "GoalError": "nacre.codec.search.goals",
    "decode": "nacre.codec.decoder",
    "CutFileWarning": "nacre.codec.decoder",
    "Opened": "nacre.codec.decoder",
    "Region": "nacre.codec.region",
    "info": "nacre.codec.describe",
    "Info": "nacre.codec.describe",
}
__all__ = [
    "CutFileWarning", "GoalError", "Info", "Opened", "Region", "decode", "encode", "encode_to", "info",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # so that `nacre info` does not pay for torch
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)

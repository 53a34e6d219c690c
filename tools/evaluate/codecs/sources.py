"""The version of nacre that determines its files: release, sources, weights, torch."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path

FOLDERS = ("codec", "entropy", "models")
DIGITS = 8  # hexadecimal


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a digest of the source files, since a checkout changes between releases."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        root = Path(import_module(f"nacre.{folder}").__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]


def nacre_version(weights_id: str) -> str:
    """Describe the versions that determine the files of a model."""
    import torch

    release = f"nacre {metadata.version('nacre')}, code {code_digest()}"
    return f"{release}, weights {weights_id}, torch {torch.__version__}"

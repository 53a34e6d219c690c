"""Digest of the sources of nacre that decide its files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import import_module
from pathlib import Path

FOLDERS = ("codec", "entropy", "models")
DIGITS = 8  # hexadecimal


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a digest of the source files; a checkout changes between two releases."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        root = Path(import_module(f"nacre.{folder}").__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:DIGITS]

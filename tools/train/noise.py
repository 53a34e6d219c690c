"""Derives the seed of a step's noise from the step, so that a resumed run needs no generator state."""

from __future__ import annotations

import hashlib


def noise_seed(seed: int, rank: int, step: int) -> int:
    """A number below 2**63, a different one for each process and each step of a run."""
    digest = hashlib.sha256(f"{seed} {rank} {step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1

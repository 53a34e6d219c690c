"""Averages the weights of a run with weights of other files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nacre.entropy.errors import UsageError, WeightsError
from nacre.tools.train.checkpoint import State, network_state

Shares = Sequence[tuple[Path, float]]  # weights files or checkpoints, and the share of each


def averaged(state: State, others: Shares) -> State:
    """The weighted mean; the share of `state` is 1 minus the sum of the other shares.

    Raises UsageError for invalid shares, WeightsError for weights of another configuration.
    """
    shares = [share for _, share in others]
    own = 1 - sum(shares)
    if not all(0 <= share <= 1 for share in (own, *shares)):
        raise UsageError("shares to average with are from 0 to 1, and 1 at most in sum")
    mean = {key: own * value for key, value in state.items()}
    for path, share in others:
        other = network_state(path)
        if {k: v.shape for k, v in other.items()} != {k: v.shape for k, v in state.items()}:
            raise WeightsError(f"{path} is of another configuration than the run")
        mean = {key: value + share * other[key] for key, value in mean.items()}
    return mean

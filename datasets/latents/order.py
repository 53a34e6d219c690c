"""The order of samples in an epoch, from seed and epoch number: equal on all machines and in all versions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Shuffle = Literal["samples", "shards"] | None
Numbers = NDArray[np.int64]


def mixed(seed: int, epoch: int, values: Any) -> NDArray[np.uint64]:
    """64 random bits for each value: splitmix64, independent of versions of libraries.

    >>> mixed(0, 0, np.array([0, 1])).tolist()
    [2558736989570252433, 4764156602392020899]
    """
    with np.errstate(over="ignore"):
        state = _splitmix(_splitmix(np.array([seed % 2**64], np.uint64)) + np.uint64(epoch % 2**64))
        return _splitmix(state + np.asarray(values).astype(np.uint64))


def _splitmix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Source: Steele et al., Fast Splittable Pseudorandom Number Generators, OOPSLA 2014."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def order(shuffle: Shuffle, shards: Numbers, seed: int, epoch: int) -> Numbers:
    """The sample numbers of an epoch: "samples" shuffles all, "shards" the shards and each within; None keeps
    them in order. `shards` has the shard of each sample.
    """
    if shuffle is None:
        return np.arange(len(shards))
    keys = mixed(seed, epoch, np.arange(len(shards)))
    if shuffle == "samples":
        return np.argsort(keys, kind="stable")
    of_shards = mixed(seed, epoch, -1 - np.arange(int(shards.max(initial=0)) + 1))
    places = np.argsort(np.argsort(of_shards, kind="stable"))
    return np.lexsort((keys, places[shards]))

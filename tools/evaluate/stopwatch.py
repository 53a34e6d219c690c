"""Seconds that entropy coding takes inside the codec."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache


class Stopwatch:
    """Adds up the seconds that wrapped functions take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., object]) -> Callable[..., object]:
        def timed(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


@lru_cache(maxsize=1)
def entropy_stopwatch() -> Stopwatch:
    """The one stopwatch of this process around everything that turns symbols into bytes and back."""
    from nacre.codec import tiles
    from nacre.entropy.coder import Decoder, Encoder

    watch = Stopwatch()
    for kind, names in ((Encoder, ("push", "finish")), (Decoder, ("pull", "finish"))):
        for name in names:
            setattr(kind, name, watch.around(getattr(kind, name)))
    tiles.symbol_checksum = watch.around(tiles.symbol_checksum)  # type: ignore[assignment]
    return watch

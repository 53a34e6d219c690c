"""Estimates the memory that a picture needs from its head, before any is allocated."""

from __future__ import annotations

from nacre.codec import strips
from nacre.codec.areas import positions
from nacre.codec.container import Head, Limits
from nacre.entropy.errors import LimitError
from nacre.models.family import Reach

SAMPLE_BYTES = 10  # for each pixel of 8 bits: the picture, and copies of its parts
STORED_ROW_BYTES = 40  # for each pixel of a row of tiles without a latent


def check_limits(
    head: Head,
    reach: Reach | None,
    limits: Limits,
    searched_positions: int = 0,
    tiles_at_once: int = 1,
) -> None:
    """Raises LimitError for a picture that would need more than the limits allow.

    `reach` is None where no network runs. `searched_positions` is the positions that a search holds at once.
    """
    limits.check_pixels(head.width, head.height)
    needed = head.width * head.height * SAMPLE_BYTES * head.bit_depth // 8
    if reach is None:
        needed += min(head.height, head.tile) * head.width * STORED_ROW_BYTES
    else:
        needed += _latent_bytes(head, reach, searched_positions, tiles_at_once)
    if needed > limits.memory_bytes:
        raise LimitError(
            f"{head.width}x{head.height} pixels need about {needed >> 20} MiB, "
            f"the limit is {limits.memory_bytes >> 20}"
        )


def _latent_bytes(head: Head, reach: Reach, searched_positions: int, tiles_at_once: int) -> int:
    height, width = (positions(side, reach.stride) for side in (head.height, head.width))
    side = max(1, head.tile // reach.stride)
    rows, columns = strips.blocks(height, width, reach)
    block = max(r.high - r.low for r in rows) * max(c.high - c.low for c in columns)
    tile = min(height, side) * min(width, side)
    needed = (
        max(block * reach.block_bytes, searched_positions * reach.search_bytes)
        + min(height, side) * width * reach.band_bytes
        + min(tiles_at_once * side, width) / min(side, width) * tile * reach.tile_bytes
    )
    return int(reach.stride**2 * needed)

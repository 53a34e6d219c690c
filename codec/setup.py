"""What encoder and decoder share before they begin: where the networks run, and what may be allocated."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from nacre.codec import strips, tiles
from nacre.codec import threads as threads  # registers what a forked process needs
from nacre.codec.container import MAX_QUALITY, Alpha, Head, Limits
from nacre.codec.tiles import PRECISIONS, Runner
from nacre.entropy.errors import LimitError, UsageError
from nacre.models.config import STRIDE, ImageConfig
from nacre.models.image import ImageModel
from nacre.models.weights_file import CodingModel

if TYPE_CHECKING:
    from torch import Tensor

# Peak memory of either side, float32, over the process, its weights and the picture itself:
# `python -m nacre.tools.benchmark` prints it.
BYTES_PER_BLOCK_PIXEL, BYTES_PER_BAND_PIXEL, BYTES_PER_TILE_PIXEL, BYTES_PER_PIXEL = 200, 40, 60, 10
BYTES_PER_WINDOW_PIXEL = 1100  # of a search by gradient


def check_limits(head: Head, config: ImageConfig | None, limits: Limits, window: int = 0) -> None:
    """Refuse what would need more than the limits allow, before any of it is allocated.

    `window` is how many positions of the latent a search works on at once; without a `config` there are no
    networks to run.
    """
    if head.width * head.height > limits.pixels:
        raise LimitError(f"{head.width}x{head.height} pixels are over the limit of {limits.pixels}")
    height, width = (-(-side // STRIDE) for side in (head.height, head.width))
    side = head.tile // STRIDE
    if config is None:
        needed = STRIDE**2 * min(height, side) * width * BYTES_PER_BAND_PIXEL
        needed += STRIDE**2 * height * width * BYTES_PER_PIXEL * head.bit_depth // 8
        return _refuse_beyond(limits, needed, head)
    rows, columns = strips.blocks(height, width, config)
    block = max(r.high - r.low for r in rows) * max(c.high - c.low for c in columns)
    tile = min(height, side) * min(width, side)
    needed = STRIDE**2 * (
        max(block * BYTES_PER_BLOCK_PIXEL, window * BYTES_PER_WINDOW_PIXEL)
        + min(height, side) * width * BYTES_PER_BAND_PIXEL
        + tile * BYTES_PER_TILE_PIXEL
        + height * width * BYTES_PER_PIXEL * head.bit_depth // 8
    )
    _refuse_beyond(limits, needed, head)


def _refuse_beyond(limits: Limits, needed: int, head: Head) -> None:
    if needed > limits.memory_bytes:
        raise LimitError(
            f"{head.width}x{head.height} pixels need about {needed >> 20} MiB, "
            f"the limit is {limits.memory_bytes >> 20}"
        )


@contextmanager
def memory_errors_named() -> Iterator[None]:
    """Whatever cannot be allocated, within the limits or not, is a LimitError."""
    try:
        yield
    except MemoryError as error:
        raise LimitError("out of memory") from error
    except RuntimeError as error:
        if "alloc" in str(error) or "out of memory" in str(error):
            raise LimitError("out of memory") from error
        raise


def runner(model: CodingModel, device: str, precision: str) -> Runner:
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r}: {' or '.join(PRECISIONS)} wanted")
    try:
        place = torch.device(device)
        if place.type == "meta":
            raise RuntimeError("it holds no numbers")
        network = model.network if place.type == "cpu" else _network_on(model.network, place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {reason}") from error
    return Runner(dataclasses.replace(model, network=network), place, precision)


@lru_cache(maxsize=4)
def _network_on(network: ImageModel, device: torch.device) -> ImageModel:
    """A copy on another device; the one on the CPU stays as it is."""
    return copy.deepcopy(network).to(device)


def level(quality: int, device: torch.device) -> Tensor:
    """The quality as the networks know it: (1,) in [0, 1]."""
    return torch.tensor([(quality - 1) / (MAX_QUALITY - 1)], device=device)


def file_checksum(head: Head, plane: Alpha | None, checksums: list[int]) -> int:
    """The checksum that the file ends with."""
    return tiles.join_checksums(
        head.to_bytes(), plane.to_bytes() if plane is not None else b"", checksums
    )

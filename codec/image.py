"""Pictures to nacre files and back: what a user imports.

from nacre import codec
data = codec.encode(Image.open("photo.jpg"), quality=60)
image = codec.decode(data)
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from PIL import Image

from nacre.codec import strips, tiles
from nacre.codec.colour import Picture, to_picture, to_pil
from nacre.codec.container import (
    MAX_QUALITY,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    Stream,
)
from nacre.codec.tiles import PRECISIONS, Runner
from nacre.entropy.errors import CorruptStream, LimitError, UsageError
from nacre.models import zoo
from nacre.models.config import STRIDE, ImageConfig
from nacre.models.image import ImageModel
from nacre.models.weights_file import CodingModel

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_QUALITY = 60
# Peak memory of either side, float32, over the process and its weights: tools/benchmark.py prints it.
BYTES_PER_STRIP_PIXEL, BYTES_PER_TILE_PIXEL, BYTES_PER_PIXEL = 200, 60, 40


def encode(
    image: Image.Image | NDArray[Any] | Tensor,
    *,
    quality: int = DEFAULT_QUALITY,
    model: str | Path = zoo.DEFAULT,
    device: str = "cpu",
    precision: str = "float32",
    strip: bool = False,
    limits: Limits = Limits(),
) -> bytes:
    """Code a picture: a PIL image, a uint8 array (H, W, 3), (H, W, 1) or (H, W), or a tensor (3, H, W).

    `quality` is 1..100, 100 the best that the model can do. `model` is an embedded model's name or the
    path of a weights file. `precision` is "float32" or "bfloat16", of the networks; the file decodes
    alike. `strip` drops ICC, EXIF and XMP, which are kept otherwise. Float tensors are in [0, 1].

    Raises UsageError, ImageError, WeightsError or LimitError.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= MAX_QUALITY:
        raise UsageError(f"quality {quality!r}: a whole number from 1 to {MAX_QUALITY} wanted")
    picture = to_picture(image)
    height, width = picture.pixels.shape[:2]
    runner = _runner(zoo.load_model(model), device, precision)
    head = Head(
        width,
        height,
        quality,
        runner.model.id,
        channels=picture.channels,
        orientation=picture.orientation,
    )
    _check_limits(head, runner.model.config, limits)
    with torch.inference_mode(), _memory_errors_named():
        y = strips.analyse(runner, picture.pixels, _t(quality, runner.device))
        coded = [
            tiles.encode_tile(runner, area.of(y), quality)
            for area in tiles.areas(width, height, head.tile)
        ]
    latents = tuple(Latent(0, i, data) for i, (data, _) in enumerate(coded))
    metadata = () if strip else tuple(Meta(kind, block) for kind, block in picture.metadata.items())
    end = End(tiles.join_checksums([checksum for _, checksum in coded]))
    return Stream(head, metadata, latents, end).to_bytes()


def decode(
    data: bytes,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    limits: Limits = Limits(),
) -> Image.Image:
    """Read a file: a PIL image of mode RGB or L, with ICC, EXIF and XMP in its `info`.

    The model is the one that the file names; `model`, a path, adds one to those that are embedded.
    Raises StreamError (TruncatedStream, CorruptStream, UnsupportedStream), LimitError or WeightsError.
    """
    stream = Stream.from_bytes(data, limits)
    head = stream.head
    runner = _runner(zoo.model_of_stream(head.model, model), device, precision)
    _check_limits(head, runner.model.config, limits)
    with torch.inference_mode(), _memory_errors_named():
        y_hat, features = _parse(runner, stream)
        t = _t(head.quality, runner.device)
        pixels = strips.synthesise(runner, y_hat, features, t, head.channels)
    pixels = pixels[: head.height, : head.width]
    metadata = {m.kind: m.data for m in stream.metadata}
    return to_pil(Picture(pixels, metadata, head.orientation))


def _check_limits(head: Head, config: ImageConfig, limits: Limits) -> None:
    """Refuse what would need more than the limits allow, before any of it is allocated."""
    if head.width * head.height > limits.pixels:
        raise LimitError(f"{head.width}x{head.height} pixels are over the limit of {limits.pixels}")
    height, width = (-(-side // STRIDE) for side in (head.height, head.width))
    strip = max((s.high - s.low) * width for s in strips.strips(height, width, config))
    tile = min(height, head.tile // STRIDE) * min(width, head.tile // STRIDE)
    needed = STRIDE**2 * (
        strip * BYTES_PER_STRIP_PIXEL
        + tile * BYTES_PER_TILE_PIXEL
        + height * width * BYTES_PER_PIXEL
    )
    if needed > limits.memory_bytes:
        raise LimitError(
            f"{head.width}x{head.height} pixels need about {needed >> 20} MiB, "
            f"the limit is {limits.memory_bytes >> 20}"
        )


@contextmanager
def _memory_errors_named() -> Iterator[None]:
    """Whatever cannot be allocated, within the limits or not, is a LimitError."""
    try:
        yield
    except MemoryError as error:
        raise LimitError("out of memory") from error
    except RuntimeError as error:
        if "alloc" in str(error) or "out of memory" in str(error):
            raise LimitError("out of memory") from error
        raise


def _runner(model: CodingModel, device: str, precision: str) -> Runner:
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


def _t(quality: int, device: torch.device) -> Tensor:
    """The quality as the networks know it: (1,) in [0, 1]."""
    return torch.tensor([(quality - 1) / (MAX_QUALITY - 1)], device=device)


def _parse(runner: Runner, stream: Stream) -> tuple[Tensor, Tensor]:
    """y_hat and the hyper features, each (1, C, h, w), of all tiles; raises CorruptStream."""
    head, decoded = stream.head, []
    areas = list(tiles.areas(head.width, head.height, head.tile))
    for area, latent in zip(areas, stream.latents, strict=True):
        decoded.append(tiles.decode_tile(runner, latent.data, area, head.quality))
    if tiles.join_checksums([tile.checksum for tile in decoded]) != stream.end.checksum:
        raise CorruptStream("the symbols are not those that were written: their checksum differs")
    per_row = sum(area.top == 0 for area in areas)

    def join(parts: list[Tensor]) -> Tensor:
        return torch.cat(
            [torch.cat(parts[i : i + per_row], 3) for i in range(0, len(parts), per_row)], 2
        )

    return join([tile.y_hat for tile in decoded]), join([tile.features for tile in decoded])

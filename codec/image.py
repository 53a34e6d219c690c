"""Pictures to nacre files and back: what a user imports.

from nacre import codec
data = codec.encode(Image.open("photo.jpg"), quality=60)
image = codec.decode(data)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from nacre.codec import tiles
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
from nacre.models.config import STRIDE
from nacre.models.weights_file import CodingModel

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_QUALITY = 60
BYTES_PER_PIXEL = (
    160  # peak memory of the decoder over its weights, float32; see tools/benchmark.py
)


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
    return encode_picture(
        to_picture(image), quality=quality, model=model, device=device, precision=precision, strip=strip,
        limits=limits,
    )  # fmt: skip


def encode_picture(
    picture: Picture,
    *,
    quality: int,
    model: str | Path = zoo.DEFAULT,
    device: str = "cpu",
    precision: str = "float32",
    strip: bool = False,
    limits: Limits = Limits(),
) -> bytes:
    """`encode` for a picture that was taken apart before."""
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= MAX_QUALITY:
        raise UsageError(f"quality {quality!r}: a whole number from 1 to {MAX_QUALITY} wanted")
    height, width = picture.pixels.shape[:2]
    _check_limits(width, height, limits)
    runner = _runner(zoo.load_model(model), device, precision)
    head = Head(
        width,
        height,
        quality,
        runner.model.id,
        channels=picture.channels,
        orientation=picture.orientation,
    )
    with torch.inference_mode():
        y = _analyse(runner, picture.pixels, quality)
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
    return to_pil(
        decode_picture(data, model=model, device=device, precision=precision, limits=limits)
    )


def decode_picture(
    data: bytes,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    limits: Limits = Limits(),
) -> Picture:
    """`decode`, giving samples and metadata apart."""
    stream = Stream.from_bytes(data, limits)
    head = stream.head
    _check_limits(head.width, head.height, limits)
    runner = _runner(zoo.model_of_stream(head.model, model), device, precision)
    with torch.inference_mode():
        pixels = _synthesise(runner, stream)
    return Picture(pixels, {m.kind: m.data for m in stream.metadata}, head.orientation)


def _check_limits(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise LimitError(f"{width}x{height} pixels are over the limit of {limits.pixels}")
    needed = width * height * BYTES_PER_PIXEL
    if needed > limits.memory_bytes:
        raise LimitError(
            f"{width}x{height} pixels need about {needed >> 20} MiB, the limit is {limits.memory_bytes >> 20}"
        )


def _runner(model: CodingModel, device: str, precision: str) -> Runner:
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r}: {' or '.join(PRECISIONS)} wanted")
    try:
        place = torch.device(device)
        if place.type == "cpu":
            return Runner(model, place, precision)
        network = model.network.to(place)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {device!r} cannot be used: {str(error).splitlines()[0]}"
        ) from error
    return Runner(dataclasses.replace(model, network=network), place, precision)


def _t(quality: int, device: torch.device) -> Tensor:
    """The quality as the networks know it: (1,) in [0, 1]."""
    return torch.tensor([(quality - 1) / (MAX_QUALITY - 1)], device=device)


def _analyse(runner: Runner, pixels: NDArray[np.uint8], quality: int) -> Tensor:
    """y (1, M, h, w) of uint8 pixels (H, W, 1 or 3)."""
    height, width, channels = pixels.shape
    x = torch.from_numpy(pixels).to(runner.device).permute(2, 0, 1)[None].float() / 255
    x = x.expand(1, 3, height, width) if channels == 1 else x
    x = F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
    x = x.contiguous(memory_format=torch.channels_last)
    with runner.autocast():
        y: Tensor = runner.model.network.analysis(x, _t(quality, runner.device))
    return y.float()


def _synthesise(runner: Runner, stream: Stream) -> NDArray[np.uint8]:
    """uint8 pixels (H, W, 1 or 3) of a parsed file."""
    head = stream.head
    decoded = []
    areas = list(tiles.areas(head.width, head.height, head.tile))
    for area, latent in zip(areas, stream.latents, strict=True):
        decoded.append(tiles.decode_tile(runner, latent.data, area, head.quality))
    if tiles.join_checksums([tile.checksum for tile in decoded]) != stream.end.checksum:
        raise CorruptStream("the symbols are not those that were written: their checksum differs")
    per_row = sum(area.top == 0 for area in areas)
    y_hat, features = (
        torch.cat([torch.cat(parts[i : i + per_row], 3) for i in range(0, len(parts), per_row)], 2)
        for parts in ([tile.y_hat for tile in decoded], [tile.features for tile in decoded])
    )
    with runner.autocast():
        x_hat = runner.model.network.synthesis(y_hat, features, _t(head.quality, runner.device))
    x_hat = x_hat[0, :, : head.height, : head.width]
    if head.channels == 1:
        x_hat = x_hat.mean(0, keepdim=True)
    samples = (x_hat.nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    pixels: NDArray[np.uint8] = samples.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels

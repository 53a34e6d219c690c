"""Pictures stored in several ways and read back as tensors: bytes and samples a second of each way."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nacre.datasets import LatentDataset, pack
from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.codecs.base import Codec
from nacre.tools.tasks.fitting import as_input

TIMED = 64  # samples that are read to measure the speed
SEARCHED = 12  # pictures in the search for a quality
SHRUNK_AT_ONCE = 64


@dataclass(frozen=True)
class StoredSet:
    """Training and test pictures as a network reads them, (N, C, h, w) each."""

    name: str
    bytes: float  # of a test picture, mean
    speed: float  # samples a second, one thread
    train: Tensor
    test: Tensor
    cached_speed: float | None = None  # samples a second from a cache of decoded latents


def shrunk(pixels: Tensor, side: int) -> Tensor:
    """(N, 3, side, side) of pixels (N, 3, h, w), all uint8: bicubic with antialiasing."""
    if pixels.shape[-1] == side:
        return pixels
    parts = (
        F.interpolate(part.float(), (side, side), mode="bicubic", antialias=True)
        for part in pixels.split(SHRUNK_AT_ONCE)
    )
    return torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in parts])


def images(pixels: Tensor) -> Iterator[Image.Image]:
    for one in pixels:
        yield Image.fromarray(one.permute(1, 2, 0).contiguous().numpy())


def pixels_of(image: Image.Image) -> Tensor:
    """(3, h, w) uint8."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def speed_of(read: Callable[[int], object], count: int) -> float:
    """Samples a second of `read`."""
    start = time.perf_counter()
    for k in range(min(TIMED, count)):
        read(k)
    return min(TIMED, count) / (time.perf_counter() - start)


def as_pixels(name: str, train: Tensor, test: Tensor, form: str, **options: object) -> StoredSet:
    """The pictures stored in a format of Pillow and read back as pixels."""

    def files(pixels: Tensor) -> list[bytes]:
        found = []
        for image in images(pixels):
            out = io.BytesIO()
            image.save(out, form, **options)
            found.append(out.getvalue())
        return found

    def read(data: bytes) -> Tensor:
        return pixels_of(Image.open(io.BytesIO(data)))

    stored = files(test)
    return StoredSet(
        name,
        sum(map(len, stored)) / len(stored),
        speed_of(lambda k: read(stored[k]), len(stored)),
        torch.stack([read(data) for data in files(train)]),
        torch.stack([read(data) for data in stored]),
    )


def as_latents(
    model: str, quality: int, train: Tensor, test: Tensor, folder: Path, jobs: int
) -> StoredSet:
    """The pictures packed and read by LatentDataset: means plus symbols, on a scale that all qualities share.

    A folder that is already packed is only read.
    """
    sets = []
    for part, pixels in (("train", train), ("test", test)):
        out = folder / f"{Path(model).stem}-{quality}-{part}"
        samples = ((f"{k:06}", np.array(image), None) for k, image in enumerate(images(pixels)))
        index = pack(samples, out, quality=quality, model=model, jobs=jobs)
        if index.bad:
            raise UsageError(f"{model}: {index.bad[0].error}")
        sets.append((index, LatentDataset(out, model=_file(model), cache=folder / "cache")))
    (_, train_set), (index, test_set) = sets

    def whole(dataset: LatentDataset) -> Tensor:
        steps = dataset.steps
        found = (dataset[k] for k in range(len(dataset)))
        return torch.stack([(s.latent * steps).half() for s in found if s is not None])  # type: ignore[operator]

    uncached = LatentDataset(folder / f"{Path(model).stem}-{quality}-test", model=_file(model))
    speed = speed_of(uncached.__getitem__, len(uncached))
    read = whole(test_set)
    return StoredSet(
        f"latents, {Path(model).stem} at quality {quality}",
        sum(row.size for row in index.samples) / len(index.samples),
        speed,
        whole(train_set),
        read,
        speed_of(test_set.__getitem__, len(test_set)),
    )


def _file(model: str) -> str | None:
    """The path of a weights file, which data sets do not store; None for an installed model."""
    return model if Path(model).suffix else None


def decoded_latents(model: str, quality: int, folder: Path) -> Tensor:
    """(N, 3, h, w) uint8: the packed test pictures, decoded to pixels."""
    path = folder / f"{Path(model).stem}-{quality}-test"
    dataset = LatentDataset(path, model=_file(model), decode=True)
    return torch.stack([s.latent for k in range(len(dataset)) if (s := dataset[k]) is not None])  # type: ignore[misc]


def quality_for(codec: Codec, pixels: Tensor, wanted: float) -> int:
    """The quality at which the files of SEARCHED pictures have nearest to `wanted` bytes, by bisection."""
    some = list(images(pixels[:SEARCHED]))

    def size(quality: int) -> float:
        return sum(len(codec.encode(image, quality)) for image in some) / len(some)

    low, high = round(codec.qualities[0]), round(codec.qualities[-1])
    low = min(low, 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) < wanted else (low, middle)
    return min((low, high), key=lambda quality: abs(size(quality) - wanted))


def through(codec: Codec, quality: int, pixels: Tensor) -> tuple[float, Tensor]:
    """Mean bytes of a picture, and all pictures decoded, (N, 3, h, w) uint8."""
    sizes, found = [], []
    for image in images(pixels):
        data = codec.encode(image, quality)
        sizes.append(len(data))
        found.append(pixels_of(codec.decode(data, image.size)))
    return sum(sizes) / len(sizes), torch.stack(found)


def as_numbers(stored: StoredSet) -> tuple[Tensor, Tensor]:
    """Training and test tensors in floats."""
    return as_input(stored.train), as_input(stored.test)

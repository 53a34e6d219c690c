"""Pairs of frames: crops of a frame, its compensated reference, and the latent of the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.models.parts.condition import STEPS, Condition

POSITION_PIXELS = 16  # pixels for one position of the latent
FIELDS = ("frame", "compensated", "is_predicted", "previous", "symbols", "t")
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class PairBatch:
    """A batch of pairs; frames are (n, 3, H, W) in [0, 1]."""

    frame: Tensor
    compensated: Tensor
    is_predicted: Tensor  # (n, 1, h, w)
    previous: Tensor  # (n, M, h, w)
    symbols: Tensor  # (n, M, h, w)
    t: Tensor  # (n,) the quality of the reference frame

    def condition(self, latent: Tensor, features: Tensor) -> Condition:
        """The condition with y (n, M, h, w) of the compensated frame and its features at stride 8."""
        return Condition.of(latent, features, self.is_predicted, self.previous, self.symbols)


class Pairs:
    """Pairs in a folder; `rng` draws them."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self._arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS}
        self.rng = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._arrays["t"])

    def draw(self, count: int) -> PairBatch:
        """Pairs at random, one from each of `count` equal ranges of quality."""
        order = np.argsort(self._arrays["t"], kind="stable")
        ranges = np.array_split(order, count)
        picked = [r[int(torch.randint(len(r), (1,), generator=self.rng))] for r in ranges if len(r)]
        return self.batch(np.sort(np.array(picked)))

    def batches(self, count: int) -> Iterator[PairBatch]:
        """All pairs in order, in batches of `count`."""
        for at in range(0, len(self), count):
            yield self.batch(np.arange(at, min(at + count, len(self))))

    def batch(self, index: NDArray[np.intp]) -> PairBatch:
        def take(name: str) -> Tensor:
            return torch.from_numpy(np.array(self._arrays[name][index])).float()

        flat = torch.channels_last
        return PairBatch(
            take("frame").div_(255).contiguous(memory_format=flat),
            take("compensated").div_(255).contiguous(memory_format=flat),
            take("is_predicted")[:, None],
            take("previous") / STEPS,
            take("symbols"),
            take("t"),
        )


class PairWriter:
    """Collects pairs and writes them to a folder; the file of `t` is written last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, list[NDArray[np.generic]]] = {name: [] for name in FIELDS}

    def add(
        self,
        frame: Tensor,  # (3, H, W) uint8
        compensated: Tensor,  # (3, H, W) uint8
        is_predicted: NDArray[np.bool_],  # (h, w)
        previous: Tensor,  # (M, h, w), fetched along the vectors
        symbols: Tensor,  # (M, h, w) likewise
        t: float,
    ) -> None:
        limits = np.iinfo(np.int16)
        coded = (previous * STEPS).round().clamp(limits.min, limits.max)
        values = (
            frame.numpy(), compensated.numpy(), is_predicted, coded.numpy().astype(np.int16),
            symbols.clamp(-127, 127).numpy().astype(np.int8), np.float32(t),
        )  # fmt: skip
        for name, value in zip(FIELDS, values, strict=True):
            self._kept[name].append(np.asarray(value))

    def close(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in FIELDS:
            np.save(self._folder / f"{name}.npy", np.stack(self._kept[name]))

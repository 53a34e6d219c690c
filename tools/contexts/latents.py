"""Latents of random crops, coded by a frozen model once and kept in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nacre.datasets.crops import Crops
from nacre.datasets.memory import open_store, store_of
from nacre.entropy.walk import Planes
from nacre.models.family import Network
from nacre.models.parts.rate import Coded, code
from nacre.tools.train.loss import rate_and_error

SIDE, BATCH = 256, 8  # pixels; crops that are coded together


@dataclass(frozen=True)
class Latents:
    """y (n, M, h, w), z (n, Z, h/4, w/4), not rounded, with quality and cost of each."""

    y: Tensor
    z: Tensor
    t: Tensor  # (n,) qualities in [0, 1]
    cost: Tensor  # (n,) bits per pixel + lambda * MSE of the frozen model

    def __len__(self) -> int:
        return len(self.t)

    def batch(self, index: Tensor) -> tuple[Planes, Tensor, Tensor]:
        """Planes, qualities and costs of some crops."""
        return {"z": self.z[index], "y": self.y[index]}, self.t[index], self.cost[index]


@torch.inference_mode()
def coded(model: Network, x: Tensor, t: Tensor) -> tuple[Planes, Tensor]:
    """Planes of crops (n, 3, H, W), and their cost with the model, see `Latents.cost`."""
    planes = model.complete(model.analyse(model.prepare(x), t), t)
    prior = model.prior({name: plane.shape for name, plane in planes.items()}, t)
    known, bits_of = code(prior, planes, hard=True)
    bpp, mse = rate_and_error(Coded(model.synthesise(prior.shown(known), t), bits_of), x)
    return planes, bpp + model.lmbda(t) * mse


def cache(model: Network, pictures: list[str], count: int, folder: Path) -> Latents:
    """Latents of `count` crops at random qualities: read from the folder, or made and stored there."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = folder / "y.npy", folder / "z.npy", folder / "rest.npy"
    if not parts[2].exists():
        store = open_store(pictures, SIDE, folder)
        crops, rest = Crops(store, store_of([]), seed=0), np.zeros((2, count), np.float32)
        shapes = model.shapes(SIDE // model.reach.stride, SIDE // model.reach.stride)
        files = [
            np.lib.format.open_memmap(
                path, mode="w+", dtype=np.float32, shape=(count, *shapes[name][1:])
            )
            for path, name in zip(parts, ("y", "z"), strict=False)
        ]
        for at in range(0, count, BATCH):
            n = min(BATCH, count - at)
            t = (torch.arange(n) + torch.rand(n, generator=crops.rng)) / n
            planes, cost = coded(model, crops.cut(crops.draw(n, SIDE), SIDE), t)
            for file, name in zip(files, ("y", "z"), strict=True):
                file[at : at + n] = planes[name].numpy()
            rest[:, at : at + n] = t.numpy(), cost.numpy()
        for file in files:
            file.flush()
        np.save(parts[2], rest)
    y, z = (torch.from_numpy(np.load(path, mmap_mode="c")) for path in parts[:2])
    t, cost = torch.from_numpy(np.load(parts[2]))
    return Latents(y, z, t, cost)

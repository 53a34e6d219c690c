"""Trains a classifier on tensors in memory, and measures its accuracy."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nacre.tools.tasks.classifier import TaskClassifier

WARM_SHARE = 0.05  # of the steps, in which the learning rate rises
CLIP_NORM = 1.0
AT_ONCE = 64  # samples of a batch without training


@dataclass(frozen=True)
class Fitting:
    """Settings of training by AdamW, with a learning rate that falls along a half cosine."""

    epochs: int = 12
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    flips: bool = True  # left to right, of half the samples; on latents this is an approximation
    shift: int = 0  # largest shift of a sample in positions; the edge is repeated


def as_input(x: Tensor) -> Tensor:
    """x as floats: uint8 pixels become [0, 1]."""
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


def augmented(x: Tensor, how: Fitting, rng: torch.Generator) -> Tensor:
    """A batch (B, C, h, w) with random flips and shifts."""
    if how.flips:
        flipped = torch.rand(len(x), generator=rng) < 0.5
        x = torch.where(flipped[:, None, None, None], x.flip(3), x)
    if how.shift:
        height, width = x.shape[2:]
        padded = F.pad(x, [how.shift] * 4, mode="replicate")
        moves = torch.randint(0, 2 * how.shift + 1, (len(x), 2), generator=rng).tolist()
        x = torch.stack(
            [
                one[:, i : i + height, j : j + width]
                for one, (i, j) in zip(padded, moves, strict=True)
            ]
        )
    return x


def fit(network: TaskClassifier, x: Tensor, labels: Tensor, how: Fitting) -> float:
    """Train on x (N, C, h, w), of uint8 or floats, with labels (N,); returns the seconds of an epoch.

    The network is standardised by x. It ends in evaluation mode.
    """
    rng = torch.Generator().manual_seed(how.seed)
    network.standardise(as_input(x[torch.randperm(len(x), generator=rng)[:256]]))
    network.train()
    optimiser = torch.optim.AdamW(
        network.parameters(), how.learning_rate, weight_decay=how.weight_decay
    )
    batches = -(-len(x) // how.batch)
    total, step, start = how.epochs * batches, 0, time.perf_counter()
    for _ in range(how.epochs):
        for chosen in torch.randperm(len(x), generator=rng).split(how.batch):
            logits = network(augmented(as_input(x[chosen]), how, rng))
            loss = F.cross_entropy(logits, labels[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            for group in optimiser.param_groups:
                group["lr"] = how.learning_rate * schedule(step, total)
            optimiser.step()
            step += 1
    network.eval()
    return (time.perf_counter() - start) / how.epochs


def schedule(step: int, total: int) -> float:
    """The factor of the learning rate: a linear rise, then a half cosine to zero."""
    rise = max(1.0, WARM_SHARE * total)
    return min(1.0, (step + 1) / rise) * (0.5 + 0.5 * math.cos(math.pi * step / total))


@torch.inference_mode()
def answers(network: TaskClassifier, x: Tensor) -> Tensor:
    """(N,) the number of the class of each sample."""
    return torch.cat([network(as_input(part)).argmax(1) for part in x.split(AT_ONCE)])


def accuracy(network: TaskClassifier, x: Tensor, labels: Tensor) -> float:
    """The share of samples with the right class."""
    return float((answers(network, x) == labels).double().mean())

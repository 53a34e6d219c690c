"""Checkpoints as CompressAI writes them, of tiny networks with random weights."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F

from nacre.models import family as families
from nacre.tools.importing.checkpoint import FAMILIES
from nacre.tools.importing.convert import PARTS

WIDTH, LATENT = 6, 9
FILTERS = (1, 3, 3, 1)


def density(channels: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """The density network of a bottleneck, and quantiles that fit it."""
    rng = torch.Generator().manual_seed(seed)
    found = {}
    for k, (inputs, outputs) in enumerate(itertools.pairwise(FILTERS)):
        found[f"matrices.{k}"] = torch.randn(channels, outputs, inputs, generator=rng) - 1
        found[f"biases.{k}"] = torch.rand(channels, outputs, 1, generator=rng) - 0.5
        if k < len(FILTERS) - 2:
            found[f"factors.{k}"] = 0.3 * torch.randn(channels, outputs, 1, generator=rng)
    x = torch.arange(-3000, 3000)[None, None] / 20
    levels = cumulative(found, x.expand(channels, 1, -1))[:, 0]
    at = [(levels < level).sum(1) / 20 - 150 for level in (5e-10, 0.5, 1 - 5e-10)]
    found["quantiles"] = torch.stack(at, 1)[:, None]
    return found


def cumulative(tensors: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """(C, 1, n) of x (C, 1, n), all channels at once, in float64."""
    x = x.double()
    for k in range(len(FILTERS) - 1):
        x = F.softplus(tensors[f"matrices.{k}"].double()) @ x + tensors[f"biases.{k}"].double()
        if f"factors.{k}" in tensors:
            x = x + torch.tanh(tensors[f"factors.{k}"].double()) * torch.tanh(x)
    return torch.sigmoid(x)


def state_dict(architecture: str) -> dict[str, torch.Tensor]:
    """Of an architecture, as one of its newest release; `update()` was not called."""
    torch.manual_seed(0)
    family = families.find(FAMILIES[architecture])
    values = {"width": WIDTH, "latent": LATENT}
    if "hyper" in vars(family.config()):
        values["hyper"] = WIDTH
    network = family.build(family.configure(values))
    found = {}
    for part, prefix in PARTS.items():
        if hasattr(network, part):
            found |= {prefix + k: v for k, v in getattr(network, part).state_dict().items()}
    channels = WIDTH if "hyper" in values else LATENT
    found |= {f"entropy_bottleneck.{k}": v for k, v in density(channels).items()}
    return {**found, "g_a.1.beta_reparam.pedestal": torch.zeros(1)}

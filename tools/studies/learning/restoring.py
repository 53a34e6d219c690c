"""Upscaling by 2 from stored latents and from stored pixels at equal bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nacre.tools.evaluate import metrics
from nacre.tools.studies.study import Figures
from nacre.tools.tasks.classifier import ClassifierConfig, ResidualStage, entrance
from nacre.tools.tasks.fitting import CLIP_NORM, Fitting, as_input, schedule

WIDTH, BLOCKS = 128, 3


class PictureRestorer(nn.Module):
    """x (B, C, h, w) to pixels (B, 3, H, W): an entrance, residual blocks, one layer to pixels.

    For pixels the network adds a correction to the bicubic interpolation; for latents it predicts the pixels.
    """

    def __init__(self, inputs: int, patch: int, factor: int, is_added: bool) -> None:
        super().__init__()
        self.is_added = is_added
        config = ClassifierConfig(2, inputs, patch, width=WIDTH, blocks=BLOCKS, stages=1)
        self.enter, self.body = entrance(config), ResidualStage(WIDTH, WIDTH, BLOCKS)
        self.leave = nn.Sequential(nn.Conv2d(WIDTH, 3 * factor**2, 1), nn.PixelShuffle(factor))
        if is_added:
            nn.init.zeros_(self.leave[0].weight)  # type: ignore[arg-type]
            nn.init.zeros_(self.leave[0].bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        found: Tensor = self.leave(self.body(self.enter((x - mean) / deviation)))
        return found + bicubic(x, found.shape[-1]) if self.is_added else found + 0.5


def bicubic(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, (side, side), mode="bicubic")


def restored(
    train: Tensor, target: Tensor, test: Tensor, how: Fitting, positions: int
) -> tuple[Tensor, int]:
    """Train on stored pictures and targets (N, 3, H, W) uint8; returns the restored test pictures and the
    number of parameters.
    """
    torch.manual_seed(how.seed)
    rng = torch.Generator().manual_seed(how.seed)
    known = as_input(train[:256])
    mean = known.mean((0, 2, 3), keepdim=True)
    deviation = (known - mean).square().mean().sqrt().clamp_min(1e-3)
    inputs, side = train.shape[1:3]
    network = PictureRestorer(
        inputs, side // positions, target.shape[-1] // positions, train.dtype == torch.uint8
    )
    optimiser = torch.optim.AdamW(network.parameters(), how.learning_rate)
    total = how.epochs * -(-len(train) // how.batch)
    step = 0
    for _ in range(how.epochs):
        for chosen in torch.randperm(len(train), generator=rng).split(how.batch):
            found = network(as_input(train[chosen]), mean, deviation)
            loss = (found - as_input(target[chosen])).square().mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            for group in optimiser.param_groups:
                group["lr"] = how.learning_rate * schedule(step, total)
            optimiser.step()
            step += 1
    with torch.inference_mode():
        parts = [network(as_input(part), mean, deviation) for part in test.split(32)]
    return torch.cat(parts), sum(p.numel() for p in network.parameters())


def distortion(found: Tensor, target: Tensor) -> Figures:
    """Means over pictures; found (N, 3, H, W) in [0, 1], target uint8. MS-SSIM is None for small pictures."""
    pixels = (found * 255).round().clamp(0, 255).to(torch.uint8)
    of: Callable[[Tensor], np.ndarray] = lambda one: one.permute(1, 2, 0).numpy()  # type: ignore[type-arg] # noqa: E731
    pairs = [(of(a), of(b)) for a, b in zip(target, pixels, strict=True)]
    similar = [metrics.ms_ssim(a, b) for a, b in pairs]
    return {
        "psnr_db": float(np.mean([metrics.psnr_db(a, b) for a, b in pairs])),
        "ms_ssim": None if None in similar else float(np.mean(similar)),  # type: ignore[arg-type]
    }

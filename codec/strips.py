"""The transforms in strips of rows, so that memory depends on a strip and not on the picture.

A strip is computed with a halo as wide as the receptive field of the blocks, so no seam can be seen:
in and out of strips, samples are equal but for the last bits of a float.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nacre.codec.tiles import Runner
from nacre.models.config import STRIDE, ImageConfig

STRIP_PIXELS = 1 << 22  # without the halo; pictures up to this size are one strip
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Strip:
    """Rows of the latent: `start` to `end`, computed from `low` to `high`, ends excluded."""

    start: int
    end: int
    low: int
    high: int

    @property
    def core(self) -> slice:
        """The strip's own rows among those computed."""
        return slice(self.start - self.low, self.end - self.low)


def halo(config: ImageConfig) -> int:
    """Rows of the latent that a transform looks beyond a position: one for each block at stride 16, and
    one for every two at stride 8."""
    return config.blocks16 + -(-config.blocks8 // 2)


def strips(height: int, width: int, config: ImageConfig) -> Iterator[Strip]:
    """Cut a latent of that size into strips of at most STRIP_PIXELS."""
    rows = max(1, STRIP_PIXELS // (STRIDE * STRIDE * width))
    beyond = halo(config)
    for start in range(0, height, rows):
        end = min(start + rows, height)
        yield Strip(start, end, max(0, start - beyond), min(height, end + beyond))


def analyse(runner: Runner, pixels: Pixels, t: Tensor) -> Tensor:
    """y (1, M, h, w) of uint8 pixels (H, W, 1 or 3), edges repeated up to a multiple of 16."""
    height, width = (-(-side // STRIDE) for side in pixels.shape[:2])
    parts = []
    for strip in strips(height, width, runner.model.config):
        x = torch.from_numpy(pixels[strip.low * STRIDE : strip.high * STRIDE]).to(runner.device)
        x = x.permute(2, 0, 1)[None].float() / 255
        x = x.expand(1, 3, *x.shape[2:])
        padding = (0, -x.shape[3] % STRIDE, 0, -x.shape[2] % STRIDE)
        x = F.pad(x, padding, mode="replicate").contiguous(memory_format=torch.channels_last)
        with runner.autocast():
            y = runner.model.network.analysis(x, t)
        parts.append(y[:, :, strip.core].float())
    return torch.cat(parts, 2)


def synthesise(runner: Runner, y_hat: Tensor, features: Tensor, t: Tensor, channels: int) -> Pixels:
    """uint8 pixels (16h, 16w, channels) of y_hat (1, M, h, w); grey is the mean of the three colours."""
    height, width = y_hat.shape[2:]
    pixels = np.empty((STRIDE * height, STRIDE * width, channels), np.uint8)
    for strip in strips(height, width, runner.model.config):
        rows = slice(strip.low, strip.high)
        with runner.autocast():
            x_hat = runner.model.network.synthesis(y_hat[:, :, rows], features[:, :, rows], t)
        x_hat = x_hat[0, :, strip.core.start * STRIDE : strip.core.stop * STRIDE].nan_to_num(0.0)
        if channels == 1:
            x_hat = x_hat.mean(0, keepdim=True)
        samples = (x_hat.clamp(0, 1) * 255).round().to(torch.uint8)
        pixels[strip.start * STRIDE : strip.end * STRIDE] = samples.permute(1, 2, 0).cpu().numpy()
    return pixels

"""Evaluates a model on held-out pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from nacre.datasets.memory import PixelStore
from nacre.models.family import Network
from nacre.tools.train.loss import LEVELS, rate_and_error, weighted_loss

EVALUATED_T = (0.0, 0.25, 0.5, 0.75, 1.0)  # quality inputs of the network
EVALUATED_SIDE = 256  # pixels; held-out pictures are cropped to it
EVALUATED_PICTURES = 32


def middles(store: PixelStore) -> Tensor:
    """(n, 3, side, side) in [0, 1]: central crops of the first EVALUATED_PICTURES pictures."""
    found, at = [], 0
    for height, width in store.sizes[:EVALUATED_PICTURES].tolist():
        size = 3 * height * width
        x = torch.from_numpy(store.pixels[at : at + size].reshape(height, width, 3).copy())
        top, left = (height - EVALUATED_SIDE) // 2, (width - EVALUATED_SIDE) // 2
        found.append(x[top : top + EVALUATED_SIDE, left : left + EVALUATED_SIDE].permute(2, 0, 1))
        at += size
    return torch.stack(found).float() / LEVELS


@torch.inference_mode()
def evaluated(model: Network, pictures: Tensor) -> dict[str, float]:
    """Means over pictures (n, 3, side, side), with rounded symbols.

    Keys are "bpp_T" and "psnr_db_T" for each T of EVALUATED_T, and "loss", the mean over all T.
    """
    row: dict[str, float] = {}
    losses = []
    for t in EVALUATED_T:
        quality = torch.full((1,), t, device=pictures.device)
        points = []
        for x in pictures.split(1):
            bpp, mse = rate_and_error(model(x, quality, hard=True), x)
            points.append((weighted_loss(bpp, mse, model.lmbda(quality)), bpp, mse))
        loss, bpp, mse = (torch.cat(part) for part in zip(*points, strict=True))
        losses.append(float(loss.mean()))
        row[f"bpp_{t}"] = float(bpp.mean())
        row[f"psnr_db_{t}"] = float((10 * torch.log10(LEVELS**2 / mse)).mean())
    row["loss"] = sum(losses) / len(losses)
    return row


def summary(row: dict[str, float]) -> str:
    """The result of `evaluated` as one line."""
    points = " ".join(f"{row[f'bpp_{t}']:.3f}/{row[f'psnr_db_{t}']:.2f}" for t in EVALUATED_T)
    return f"loss {row['loss']:.4f}, bpp/dB {points}"

"""Distortion between two pictures: PSNR, MS-SSIM, LPIPS."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate.planes import to_ycbcr

PEAK = 255.0
EQUAL_DB = 99.0  # in place of infinity
SMALLEST_MS_SSIM_SIDE = 161  # five scales of an 11x11 window

Pixels = NDArray[np.uint8]  # (H, W, 3)


def psnr_db(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the PSNR over all samples of two arrays of one shape, on the 0..255 scale, at most 99 dB."""
    mse = float(np.mean((a.astype(np.float64) - b) ** 2))
    return min(EQUAL_DB, 10 * float(np.log10(PEAK**2 / mse))) if mse else EQUAL_DB


def plane_psnr_db(a: Pixels, b: Pixels) -> tuple[float, float, float]:
    """Return the PSNRs of Y, Cb and Cr in dB (BT.709, full range, unrounded)."""
    x, y = to_ycbcr(a), to_ycbcr(b)
    return (
        psnr_db(x[..., 0], y[..., 0]),
        psnr_db(x[..., 1], y[..., 1]),
        psnr_db(x[..., 2], y[..., 2]),
    )


def ms_ssim(a: Pixels, b: Pixels) -> float | None:
    """Return the MS-SSIM over RGB, at most 1; None for pictures with a side under 161 pixels.

    Source: Wang, Simoncelli and Bovik 2003.
    """
    if min(a.shape[:2]) < SMALLEST_MS_SSIM_SIDE:
        return None
    from pytorch_msssim import ms_ssim as measure

    return float(measure(_tensor(a), _tensor(b), data_range=PEAK))


def lpips(a: Pixels, b: Pixels) -> float:
    """Return the LPIPS distance with AlexNet, 0 for equal pictures. Source: arXiv:1801.03924.

    Raises UsageError without the package lpips.
    """
    x, y = (_tensor(p) / (PEAK / 2) - 1 for p in (a, b))
    import torch

    with torch.inference_mode():
        return float(_lpips_network()(x, y))


def require_lpips() -> Any:
    """Return the package lpips. Raises UsageError where it cannot be imported."""
    try:
        import lpips as package
    except (ImportError, RuntimeError) as error:  # torchvision of another release than torch
        raise UsageError(
            f"LPIPS needs the package lpips and a torchvision that goes with torch: {error}"
        ) from error
    return package


@lru_cache(maxsize=1)
def _lpips_network() -> Any:
    return require_lpips().LPIPS(net="alex", verbose=False).eval()


def _tensor(pixels: Pixels) -> Any:
    """Convert (H, W, 3) to (1, 3, H, W) float32 on the 0..255 scale."""
    import torch

    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float()

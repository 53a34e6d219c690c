"""Analysis (g_a) and synthesis (g_s): pixels to the companded latent and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nacre.models.parts import companding, wavelets
from nacre.models.parts.blocks import Block, Precise, QualityTable
from nacre.models.parts.lifted_packet import lifted_packet, packet_and_project
from nacre.models.wavelet.config import COLOURS, WaveletConfig

MIDDLE = 0.5  # of the range of x
LARGEST_DEVIATION = 40.0  # of a channel at the start, in steps: companding is nearly linear there


class WaveletAnalysis(nn.Module):
    """x (B, 3, H, W) in [0, 1], sides multiples of the stride, to y (B, M, h, w) within a signed byte.

    A wavelet packet, one pointwise layer, a gain for each channel and quality, companding.
    """

    def __init__(self, c: WaveletConfig) -> None:
        super().__init__()
        self._wavelet, self._levels = c.wavelet, c.levels
        self.project = nn.Conv2d(c.bands, c.latent, 1)
        self.gain = QualityTable(c.latent, c.knots, *gain_start(c))

    def at_any_quality(self, x: Tensor) -> Tensor:
        """(B, M, h, w): y before gains and companding."""
        weight, bias = self.project.weight, self.project.bias
        assert bias is not None
        # The packet of a constant: the lowest band of each colour, and zero elsewhere.
        lowest = weight.unflatten(1, (COLOURS, -1))[:, :, 0].sum((1, 2, 3))
        bias = bias - MIDDLE * 2**self._levels * lowest
        if x.is_meta:  # autocast does not know the meta device
            return packet_and_project(x, weight, bias, self._wavelet, self._levels)
        packet = packet_and_project if torch.is_grad_enabled() else lifted_packet
        with torch.autocast(x.device.type, enabled=False):
            return packet(x.float(), weight, bias, self._wavelet, self._levels)

    def at_quality(self, values: Tensor, t: Tensor) -> Tensor:
        """The rest of the way to y."""
        return companding.compress(values * self.gain(t))


class WaveletSynthesis(nn.Module):
    """y_hat (B, M, h, w), t (B,) and hyper features (B, F, h, w), or none, to x_hat, unclamped.

    All layers but the packet run at the stride of y.
    """

    def __init__(self, c: WaveletConfig, features: int) -> None:
        super().__init__()
        self._wavelet, self._levels = c.wavelet, c.levels
        slope, middle = gain_start(c)
        self.ungain = QualityTable(c.latent, c.knots, -slope, -middle)
        self.enter = Precise(c.latent + features, c.width)
        self.quality = QualityTable(c.width, c.knots)
        self.blocks = nn.Sequential(*[Block(c.width) for _ in range(c.blocks)])
        self.leave = Precise(c.width, c.bands)

    def forward(self, y_hat: Tensor, t: Tensor, features: Tensor | None = None) -> Tensor:
        values = companding.expand(y_hat) * self.ungain(t)
        known = values if features is None else torch.cat([values, features], 1)
        bands = self.leave(self.blocks(self.enter(known) * self.quality(t)))
        return wavelets.synthesis(bands, self._wavelet, self._levels) + MIDDLE


def gain_start(c: WaveletConfig) -> tuple[float, float]:
    """Slope and middle of the logarithm of the gains that are optimal at high rates.

    A step of sqrt(18 / (lambda ln 2)) on the 0..255 scale minimises rate + lambda * MSE on three colours.
    """
    low, high = (
        math.log(255 * math.sqrt(lmbda * math.log(2) / 18))
        for lmbda in (c.lambda_min, c.lambda_max)
    )
    return high - low, (high + low) / 2


def keep_first_channels(y: Tensor, share: float) -> Tensor:
    """y (B, M, h, w), where a share of the samples keeps its first 1 to M channels; other channels are zero.

    Source: nested dropout, Rippel et al., arXiv:1402.0915, which orders channels by their worth.
    """
    batch, channels = y.shape[:2]
    count = torch.randint(1, channels + 1, (batch, 1), device=y.device)
    is_cut = torch.rand(batch, 1, device=y.device) < share
    is_kept = ~is_cut | (torch.arange(channels, device=y.device) < count)
    return y * is_kept[:, :, None, None]


def halo(c: WaveletConfig) -> int:
    """Positions that analysis and synthesis look beyond a position, at most."""
    return wavelets.WAVELETS[c.wavelet].halo + c.blocks


@torch.no_grad()
def start_principal(
    analysis: WaveletAnalysis, synthesis: WaveletSynthesis, c: WaveletConfig, x: Tensor
) -> Tensor:
    """Start as a linear transform codec: principal components of the packet of x (B, 3, H, W), by worth.

    Gains are limited so that no channel has a standard deviation over LARGEST_DEVIATION steps. Returns (M,) the
    standard deviation of each channel before gains.
    """
    bands = wavelets.analysis(x - MIDDLE, c.wavelet, c.levels)
    flat = bands.transpose(0, 1).flatten(1).double()
    values, vectors = torch.linalg.eigh(flat @ flat.T / flat.shape[1])
    basis = vectors.flip(1)[:, : c.latent].T.float()  # (M, bands)
    deviation = values.flip(0)[: c.latent].clamp_min(1e-12).sqrt().float()
    analysis.project.weight.copy_(basis[..., None, None])
    synthesis.leave.weight.zero_()
    synthesis.leave.weight[:, : c.latent, 0, 0] = basis.T
    synthesis.enter.weight.zero_()
    synthesis.enter.weight[: c.latent, : c.latent, 0, 0] = torch.eye(c.latent)
    for layer in (analysis.project, synthesis.enter, synthesis.leave):
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    largest = (math.log(LARGEST_DEVIATION) - deviation.log()).to(analysis.gain.log)
    analysis.gain.log.copy_(torch.minimum(analysis.gain.log, largest))
    synthesis.ungain.log.copy_(-analysis.gain.log)
    return deviation

"""Analysis (g_a) and synthesis (g_s): pixels to the latent and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.nacre.config import NacreConfig
from nacre.models.parts.blocks import Block, Down, Precise, QualityTable, Up
from nacre.models.parts.hyperprior import GAIN_MIDDLE, GAIN_SLOPE

PIXEL_BLOCK = 8  # everything runs at this stride or coarser
MIDDLE = 0.5  # of the range of x


class AnalysisTransform(nn.Module):
    """x (B, 3, H, W) in [0, 1], sides multiples of 16, and t (B,) to y (B, M, H/16, W/16)."""

    def __init__(self, c: NacreConfig) -> None:
        super().__init__()
        self.stride8 = nn.Sequential(
            Down(3, c.width8, PIXEL_BLOCK), *[Block(c.width8) for _ in range(c.blocks8)]
        )
        self.quality8 = QualityTable(c.width8, c.knots)
        self.stride16 = nn.Sequential(
            Down(c.width8, c.width16), *[Block(c.width16) for _ in range(c.blocks16)]
        )
        self.leave = Precise(c.width16, c.latent)
        # A linear path around the narrower blocks: without it y would have at most width16 dimensions.
        self.bypass = Down(c.width8, c.latent)
        self.gain = QualityTable(c.latent, c.knots, GAIN_SLOPE, GAIN_MIDDLE)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.at_quality(self.at_any_quality(x), t)

    def at_any_quality(self, x: Tensor) -> Tensor:
        """(B, width8, H/8, W/8): the features that all qualities share."""
        features: Tensor = self.stride8(x - MIDDLE)
        return features

    def at_quality(self, features: Tensor, t: Tensor) -> Tensor:
        """The rest of the way to y."""
        features = features * self.quality8(t)
        y: Tensor = (self.leave(self.stride16(features)) + self.bypass(features)) * self.gain(t)
        return y


class SynthesisTransform(nn.Module):
    """y_hat (B, M, h, w), the hyper features (B, context, h, w) and t (B,) to x_hat, unclamped."""

    def __init__(self, c: NacreConfig) -> None:
        super().__init__()
        self.ungain = QualityTable(c.latent, c.knots, -GAIN_SLOPE, -GAIN_MIDDLE)
        self.enter = Precise(c.latent + c.context, c.width16)
        self.stride16 = nn.Sequential(
            *[Block(c.width16) for _ in range(c.blocks16)], Up(c.width16, c.width8)
        )
        self.bypass = Up(c.latent, c.width8)
        self.quality8 = QualityTable(c.width8, c.knots)
        self.stride8 = nn.Sequential(
            *[Block(c.width8) for _ in range(c.blocks8)],
            Precise(c.width8, 3 * PIXEL_BLOCK * PIXEL_BLOCK),
        )

    def forward(
        self, y_hat: Tensor, features: Tensor, t: Tensor, added: Tensor | None = None
    ) -> Tensor:
        """`added` (B, width8, 2h, 2w), if any, is added to the features at stride 8."""
        y_hat = y_hat * self.ungain(t)
        x = self.stride16(self.enter(torch.cat([y_hat, features], 1)))
        x = (x + self.bypass(y_hat)) * self.quality8(t)
        x = self.stride8(x if added is None else x + added)  # (B, 192, H/8, W/8)
        return F.pixel_shuffle(x, PIXEL_BLOCK) + MIDDLE


@torch.no_grad()
def start_linear(analysis: AnalysisTransform, synthesis: SynthesisTransform, x: Tensor) -> None:
    """Start as a linear transform codec: principal components of the blocks of x (B, 3, H, W).

    From here training needs 300 steps for a loss that random weights reach after more than 1,000.
    """

    def basis(v: Tensor, size: int) -> Tensor:
        """(size, C): the strongest directions of v (B, C, h, w), orthonormal rows."""
        flat = v.transpose(0, 1).flatten(1).double()
        vectors = torch.linalg.eigh(flat @ flat.T / flat.shape[1]).eigenvectors
        return vectors.flip(1)[:, :size].T.float()

    def put(conv: nn.Module, weight: Tensor) -> None:
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        nn.init.zeros_(conv.bias)
        conv.weight.zero_()
        rows, columns = weight.shape
        conv.weight[:rows, :columns, 0, 0] = weight

    enter8, enter16 = analysis.stride8[0], analysis.stride16[0]
    assert isinstance(enter8, Down) and isinstance(enter16, Down)
    b8 = basis(F.pixel_unshuffle(x - MIDDLE, PIXEL_BLOCK), enter8.project.out_channels)
    put(enter8.project, b8)
    put(synthesis.stride8[-1], b8.T)
    latent, width = analysis.leave.out_channels, analysis.leave.in_channels
    b16 = basis(F.pixel_unshuffle(enter8(x - MIDDLE), 2), max(latent, width))
    leave16 = synthesis.stride16[-1]
    assert isinstance(leave16, Up)
    put(enter16.project, b16[:width])
    put(leave16.project, b16[:width].T)
    put(analysis.leave, torch.eye(latent, width))
    put(synthesis.enter, torch.eye(width, latent))
    beyond = b16[:latent].clone()
    beyond[:width] = 0  # these pass through the blocks
    put(analysis.bypass.project, beyond)
    put(synthesis.bypass.project, beyond.T)

"""The multi-reference context of MLIC++ and MLICv2: slices of channels, each in two halves of a checkerboard.

What a half sees, beside the hyper features:

    of the first slice    first half: nothing; with `hyper_global` a global context of the hyper features
                          second half: that too, and local attention to the first half
    of any other slice    first half: channel and global contexts of all slices before
                          second half: these too, local attention to the first half, and the first half
                          by the attention map of the slice before

Sources: MLIC++, arXiv:2307.15421; MLICv2, arXiv:2504.19119.
Differs: scales have a network of their own, on integers, unless `float_scales`.

MLICv2 has one more part, guided selective coding: a network predicts which elements lie within 0.3 of their
mean; these are set to the mean and not coded. Here table rows have this role: the scale network computes the
row of an element in integers, from the hyper-latent and decoded symbols, and rows of almost only zeros are not
coded (`coded_from` in entropy/tables.py, set by tools/export/fitting.py). Encoder and decoder set an element of
such a row to its mean, at no cost. A second network would repeat what the rows tell, and in floats two machines
could disagree on its output. Its loss, a binary cross-entropy, is the rate of zeros, on which the scale network
is trained already.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import CHECKERBOARD, Schedule, Turn, slices
from nacre.models.mlic.config import MlicConfig
from nacre.models.mlic.transforms import ACTIVATION
from nacre.models.parts.blocks import Precise
from nacre.models.parts.channel_reweighting import ChannelReweighting
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.convolutions import convolutions
from nacre.models.parts.global_contexts import (
    GlobalContextBetweenSlices,
    GlobalContextWithinSlice,
)
from nacre.models.parts.hyper_global_context import HyperGlobalContext
from nacre.models.parts.local_attention import LocalAttention
from nacre.models.parts.residual_prediction import ResidualPrediction

EVEN, ODD = CHECKERBOARD
HALVES = 2
HEAD_CHANNELS = 32  # of global attention over several slices
CHANNEL_WIDTHS = 192, 128  # of the channel context
PARAMETER_WIDTHS = 320, 256, 128  # of the layers that read all contexts
RESIDUAL_WIDTHS = 224, 128
KERNEL = 3  # of the channel context and of residuals


def turns(c: MlicConfig) -> Schedule:
    """The turns of y. The first half of a slice has the positions where row + column is odd."""
    return slices("y", [c.slice_channels] * c.slices, (ODD, EVEN))


class ParameterNet(nn.Sequential):
    """All contexts of a half, (B, I, h, w), to its mean, or its mean and log2 scale."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(
            *convolutions((channels_in, *PARAMETER_WIDTHS), 1, ACTIVATION),
            nn.GELU(),
            Precise(PARAMETER_WIDTHS[-1], channels_out),
        )


class SliceBefore(nn.Module):
    """The contexts of a whole slice from earlier slices: (B, I, h, w) to (B, 6C, h, w)."""

    def __init__(self, channels_in: int, c: MlicConfig) -> None:
        super().__init__()
        own = c.slice_channels
        self.channels = convolutions((channels_in, *CHANNEL_WIDTHS, 4 * own), KERNEL, ACTIVATION)
        heads = _heads(channels_in, own)
        self.between = GlobalContextBetweenSlices(channels_in, own, heads)
        self.weigh = _reweighting(c)

    def forward(self, before: Tensor) -> Tensor:
        return torch.cat([self.weigh(self.between(before)), self.channels(before)], 1)


class MultiReferenceContext(Context):
    """The mean of each half of each slice, its log2 scale with `gives_scales`, and its residual."""

    def __init__(self, c: MlicConfig) -> None:
        super().__init__()
        self.turns, self.gives_scales = turns(c), c.float_scales
        self.latent = c.latent
        own, later = c.slice_channels, range(1, c.slices)
        self.local = nn.ModuleList(
            LocalAttention(own, c.window, c.heads, c.rotary) for _ in range(c.slices)
        )
        self.before = nn.ModuleList(SliceBefore(k * own, c) for k in later)
        self.within = nn.ModuleList(GlobalContextWithinSlice(own, c.heads) for _ in later)
        self.weigh_within = nn.ModuleList(_reweighting(c) for _ in later)
        self.hyper_global = None
        if c.hyper_global:
            heads = _heads(c.features, HEAD_CHANNELS)
            self.hyper_global = HyperGlobalContext(c.features, 2 * own, heads)
        first = c.features + (2 * own if c.hyper_global else 0)
        others = c.features + 6 * own
        found = own * (2 if c.float_scales else 1)
        seen = [first, first + 2 * own, *(others, others + 4 * own) * (c.slices - 1)]
        self.parameters_of = nn.ModuleList(ParameterNet(n, found) for n in seen)
        self.residual_of = nn.ModuleList(
            ResidualPrediction(
                c.latent + turn.channels.stop, own, KERNEL, ACTIVATION, RESIDUAL_WIDTHS
            )
            for turn in self.turns
        )

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        k, half = divmod(turn, HALVES)
        channels = self.turns[turn].channels
        own, before = y_hat[:, self.turns[turn].slice], y_hat[:, : channels.start]
        first = _where(self.turns[HALVES * k], y_hat)
        if half == 0:
            memory["whole"] = self._of_whole_slice(k, features, before, first)
        contexts = [features, *memory["whole"]]
        if half:
            contexts.append(self.local[k](own, first))
        if half and k:
            before = y_hat[:, self.turns[HALVES * (k - 1)].slice]
            within = self.within[k - 1](before, own, first)
            contexts.append(self.weigh_within[k - 1](within))
        found: Tensor = self.parameters_of[turn](torch.cat(contexts, 1))
        return found

    def _of_whole_slice(
        self, k: int, features: Tensor, before: Tensor, first: Tensor
    ) -> list[Tensor]:
        """Contexts that both halves see."""
        if k:
            return [self.before[k - 1](before)]
        return [] if self.hyper_global is None else [self.hyper_global(features, first)]

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        for_means = features[:, features.shape[1] - self.latent :]
        known = torch.cat([for_means, y_hat[:, : self.turns[turn].channels.stop]], 1)
        return self.residual_of[turn](known)


def _reweighting(c: MlicConfig) -> nn.Module:
    return ChannelReweighting(2 * c.slice_channels) if c.reweighting else nn.Identity()


def _heads(channels: int, each: int) -> int:
    """The number of heads of `each` channels; one head if `channels` is not a multiple."""
    return channels // each if channels % each == 0 else 1


def _where(turn: Turn, y_hat: Tensor) -> Tensor:
    """(h, w) bool: the positions of the turn."""
    height, width = y_hat.shape[2:]
    return turn.where(height, width, y_hat.device)[0, 0]

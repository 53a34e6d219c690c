"""A context over slices of channels: every slice is predicted from the hyper features and earlier slices.

Sources: slices and latent residual prediction, Minnen and Singh, arXiv:2007.08739; ten even slices, of which
five are support, WACNN, arXiv:2203.08450; dictionary, DCAE, arXiv:2504.00496.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import WHOLE, Schedule, even_sizes, slices
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.convolutions import convolutions
from nacre.models.parts.dictionary import DictionaryAttention
from nacre.models.parts.residual_prediction import LARGEST_RESIDUAL

NARROWING = (14, 11, 8, 4)  # fourteenths of the width of a network, layer by layer
HEAD_WIDTH = 32  # of the dictionary's attention


def slice_turns(latent: int, count: int) -> Schedule:
    """`count` slices of nearly equal size, each in one turn."""
    return slices("y", even_sizes(latent, count), (WHOLE,))


@dataclass(frozen=True)
class SliceShape:
    """The configuration of a context over slices."""

    latent: int  # channels of y
    features: int  # channels of the hyper features for means; predicted scales have as many more
    slices: int
    support: int  # a prediction sees the first `support` of the earlier slices
    width: int  # of the first hidden layer, see NARROWING
    gives_scales: bool = False
    dictionary_entries: int = 0  # 0: no dictionary
    dictionary_heads: int = 20


class NarrowingNet(nn.Sequential):
    """Five 3x3 convolutions of falling width: (B, I, h, w) to (B, O, h, w)."""

    def __init__(self, channels_in: int, channels_out: int, width: int) -> None:
        inner = [max(1, width * part // NARROWING[0]) for part in NARROWING]
        super().__init__(*convolutions((channels_in, *inner, channels_out), 3, "gelu"))


class ChannelSliceContext(Context):
    """The mean of each slice, its log2 scale with `gives_scales`, and its residual after decoding.

    With a dictionary, all networks of a slice also see the attention of the features and the support slices to
    the dictionary.
    """

    def __init__(self, shape: SliceShape) -> None:
        super().__init__()
        self.shape, self.gives_scales = shape, shape.gives_scales
        self.turns = slice_turns(shape.latent, shape.slices)
        seen = [self._support(turn) for turn in range(shape.slices)]
        sizes = [len(turn.channels) for turn in self.turns]
        if shape.dictionary_entries:
            width = HEAD_WIDTH * shape.dictionary_heads
            self.entries = nn.Parameter(torch.empty(shape.dictionary_entries, width))
            nn.init.normal_(self.entries)
            features = shape.features * (2 if shape.gives_scales else 1)
            self.dictionary = nn.ModuleList(
                DictionaryAttention(features + n, shape.latent, width, shape.dictionary_heads)
                for n in seen
            )
        known = shape.features + (shape.latent if shape.dictionary_entries else 0)

        def nets(more: list[int]) -> nn.ModuleList:
            return nn.ModuleList(
                NarrowingNet(known + n, size, shape.width)
                for n, size in zip(more, sizes, strict=True)
            )

        self.means = nets(seen)
        if shape.gives_scales:
            self.scales = nets(seen)
        self.residuals = nets([n + size for n, size in zip(seen, sizes, strict=True)])

    def _support(self, turn: int) -> int:
        """Channels of y that the networks of a turn see."""
        return self.turns[min(turn, self.shape.support)].channels.start

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        known = self._known(turn, features, y_hat)
        of_mean, of_scale = features[:, : self.shape.features], features[:, self.shape.features :]
        memory["known"] = torch.cat([of_mean, known], 1)
        mean: Tensor = self.means[turn](memory["known"])
        if not self.gives_scales:
            return mean
        return torch.cat([mean, self.scales[turn](torch.cat([of_scale, known], 1))], 1)

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        own = y_hat[:, self.turns[turn].slice]
        found = self.residuals[turn](torch.cat([memory["known"], own], 1))
        return LARGEST_RESIDUAL * torch.tanh(found)

    def _known(self, turn: int, features: Tensor, y_hat: Tensor) -> Tensor:
        """The support slices and, with a dictionary, the attention to it."""
        support = y_hat[:, : self._support(turn)]
        if not self.shape.dictionary_entries:
            return support
        found = self.dictionary[turn](torch.cat([features, support], 1), self.entries)
        return torch.cat([support, found], 1)

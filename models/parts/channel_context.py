"""The context of channel slices: y in slices of channels, each in passes over the positions.

    slice          1      1      2      2      3 ...
    pass           #.     .#     #.     .#     #.
                   .#     #.     .#     #.     .#
    channel        -      -      1      1      1, 2
    spatial        -      1      -      2      -

A turn sees earlier slices through a network of 5x5 convolutions, and the decoded positions of its own slice
through one 5x5 convolution. An aggregation of 1x1 convolutions joins both with the hyper features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.entropy.schedule import CHECKERBOARD, Pattern, Schedule, Turn, slices
from nacre.models.parts.blocks import Precise
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.convolutions import convolution, convolutions
from nacre.models.parts.residual_prediction import ResidualPrediction

KERNEL = 5
# Channels of a context for each channel of y: as published, one for the mean and one for the scale.
KINDS = 2

Widths = tuple[int, int]  # of two hidden layers
AGGREGATIONS: dict[str, Callable[[int, int, int], Widths]] = {
    # Arguments: channels of the input, of the output, and of the hyper features.
    "narrow": lambda enter, leave, features: (leave * 5 // 3, leave * 4 // 3),
    "even": lambda enter, leave, features: (
        max((2 * enter + leave) // 3, features),
        max((enter + 2 * leave) // 3, features),
    ),
    "wide": lambda enter, leave, features: (features, features * 4 // 5),
}


class CheckerboardConvolution(nn.Conv2d):
    """A convolution that sees only the other half of a checkerboard: (B, I, h, w) to (B, O, h, w).

    Source: He et al., arXiv:2103.15306.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = KERNEL) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        taps = torch.arange(self.kernel_size[0], device=x.device)
        is_other_half = (taps[:, None] + taps) % 2
        return F.conv2d(x, self.weight * is_other_half, self.bias, padding=self.padding)


@dataclass(frozen=True)
class SliceOptions:
    """The configuration of a context of channel slices."""

    sizes: tuple[int, ...]  # channels of the slices
    features: int  # hyper features
    passes: tuple[Pattern, ...] = CHECKERBOARD  # (WHOLE,) for slices without a spatial context
    widths: Widths = (224, 128)  # hidden layers of a channel context, and of residuals
    sees_all: bool = True  # all earlier slices; otherwise the first and the previous one
    aggregation: str = "narrow"  # one of AGGREGATIONS
    shares_aggregation: bool = False  # one for all passes; zeros stand in for unseen contexts
    predicts_residual: bool = False
    gives_scales: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown aggregation and empty slices."""
        if self.aggregation not in AGGREGATIONS:
            names = ", ".join(AGGREGATIONS)
            raise ValueError(f"aggregation {self.aggregation!r} is not one of {names}")
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"slices of {self.sizes} channels: expected at least one in each")

    @property
    def turns(self) -> Schedule:
        """The turns of y, split evenly over the layers of a file."""
        return slices("y", self.sizes, self.passes)

    @property
    def bounds(self) -> tuple[int, ...]:
        """The first channel of each slice, and the count of channels."""
        return (0, *accumulate(self.sizes))


class SliceContext(Context):
    """The mean of y in each turn, from the hyper features, earlier slices, and the slice's own positions.

    Sources: even slices, Minnen and Singh, arXiv:2007.08739; uneven ones with checkerboards, aggregation and
    widths, ELIC, He et al., arXiv:2203.10886.
    Differs: the last layers give means alone unless `gives_scales`; even slices, too, have an aggregation.
    """

    def __init__(self, options: SliceOptions) -> None:
        super().__init__()
        self.options, self.gives_scales = options, options.gives_scales
        self.turns = options.turns
        slice_numbers = range(len(options.sizes))
        self.channel = nn.ModuleList([self._channel_network(k) for k in slice_numbers[1:]])
        self.spatial = nn.ModuleList(
            [self._spatial_network(k) for k in slice_numbers for _ in options.passes[1:]]
        )
        own = range(1) if options.shares_aggregation else range(len(options.passes))
        self.aggregation = nn.ModuleList(
            [self._aggregation_network(k, p) for k in slice_numbers for p in own]
        )
        self.residuals = nn.ModuleList()
        if options.predicts_residual:
            self.residuals.extend(self._residual_network(turn) for turn in self.turns)

    def _channel_network(self, k: int) -> nn.Module:
        options = self.options
        seen = sum(map(len, self._seen(k)))
        return convolutions((seen, *options.widths, KINDS * options.sizes[k]), KERNEL, "relu")

    def _spatial_network(self, k: int) -> nn.Module:
        size = self.options.sizes[k]
        if self.options.passes == CHECKERBOARD:
            return CheckerboardConvolution(size, KINDS * size)
        return convolution(size, KINDS * size, KERNEL)

    def _aggregation_network(self, k: int, number: int) -> nn.Module:
        options = self.options
        size = KINDS * options.sizes[k]
        has_spatial = (options.shares_aggregation and len(options.passes) > 1) or number > 0
        enter = options.features + (size if k else 0) + (size if has_spatial else 0)
        first, second = AGGREGATIONS[options.aggregation](enter, size, options.features)
        leave = size if options.gives_scales else options.sizes[k]
        return nn.Sequential(
            *convolutions((enter, first, second), 1, "relu"),
            nn.ReLU(),
            Precise(second, leave),
        )

    def _residual_network(self, turn: Turn) -> nn.Module:
        known = self.options.features + turn.channels.stop
        return ResidualPrediction(known, len(turn.channels), widths=self.options.widths)

    def _seen(self, k: int) -> tuple[range, ...]:
        """The channels that the channel context of a slice sees."""
        bounds = self.options.bounds
        if self.options.sees_all or k == 1:
            return (range(bounds[k]),)
        return (range(bounds[1]), range(bounds[k - 1], bounds[k]))

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        k, number = divmod(turn, len(self.options.passes))
        known = [features]
        if k:
            if number == 0:
                seen = [y_hat[:, channels.start : channels.stop] for channels in self._seen(k)]
                memory["channel"] = self.channel[k - 1](torch.cat(seen, 1))
            known.append(memory["channel"])
        if number or (self.options.shares_aggregation and len(self.options.passes) > 1):
            known.append(self._spatial_context(k, number, y_hat))
        index = k if self.options.shares_aggregation else turn
        mean: Tensor = self.aggregation[index](torch.cat(known, 1))
        return mean

    def _spatial_context(self, k: int, number: int, y_hat: Tensor) -> Tensor:
        """(B, KINDS * size, h, w); zeros in the first pass."""
        start, stop = self.options.bounds[k : k + 2]
        if number == 0:
            batch, _, height, width = y_hat.shape
            return y_hat.new_zeros((batch, KINDS * (stop - start), height, width))
        index = k * (len(self.options.passes) - 1) + number - 1
        found: Tensor = self.spatial[index](y_hat[:, start:stop])
        return found

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor | None:
        if not self.options.predicts_residual:
            return None
        known = torch.cat([features, y_hat[:, : self.turns[turn].channels.stop]], 1)
        found: Tensor = self.residuals[turn](known)
        return found

"""Cross-attention of features to a learned dictionary of structures that natural images share.

Source: DCAE, "Learned Image Compression with Dictionary-based Entropy Model", arXiv:2504.00496. The gated MLP
with a depth-wise convolution: TransNeXt, arXiv:2311.17132; the gate by mean and maximum: CBAM,
arXiv:1807.06521.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.models.parts.blocks import depthwise, pointwise
from nacre.models.parts.channel_gate import ChannelLayerNorm

DENSE_LAYERS = 3
GATE_SIDE = 7  # of the convolution over mean and maximum
WIDENING = 4  # of the gated MLP: values and gates together


class ScaledSkip(nn.Module):
    """(B, C, h, w) to the same shape: a learned factor for each channel, which starts at one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels, 1, 1))
        nn.init.ones_(self.scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class DenseAggregation(nn.Module):
    """Joins features of several receptive fields, gated at each position by a convolution of their mean and
    maximum over channels: (B, C, h, w) to the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = pointwise(channels, channels)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.GELU(),
                pointwise(channels, channels),
                nn.GELU(),
                depthwise(channels),
                nn.GELU(),
                pointwise(channels, channels),
            )
            for _ in range(DENSE_LAYERS)
        )
        self.join = pointwise((DENSE_LAYERS + 1) * channels, channels)
        self.gate = nn.Conv2d(2, 1, GATE_SIDE, padding=GATE_SIDE // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.enter(x)]
        for layer in self.layers:
            found.append(layer(found[-1]))
        joined: Tensor = self.join(torch.cat(found, 1))
        both = torch.cat([joined.mean(1, keepdim=True), joined.amax(1, keepdim=True)], 1)
        return joined * torch.sigmoid(self.gate(both))


class GatedConvolutionMlp(nn.Module):
    """Values times gates from a 3x3 neighbourhood: (B, C, h, w) to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = WIDENING * channels // 2
        self.enter, self.mix = pointwise(channels, 2 * hidden), depthwise(hidden)
        self.leave = pointwise(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.enter(x).chunk(2, 1)
        found: Tensor = self.leave(F.gelu(self.mix(gate)) * value)
        return found


class DictionaryLookup(nn.Module):
    """Every position attends to every entry, in each head: (B, W, h, w) to the same shape.

    Keys are a linear map of the normalised entries; values are the normalised entries. A learned factor for
    each head replaces the division by the square root of the width in plain attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = pointwise(width, width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.sharpness = nn.Parameter(torch.empty(heads, 1, 1))
        nn.init.ones_(self.sharpness)
        self.leave = pointwise(width, width)

    def forward(self, x: Tensor, entries: Tensor) -> Tensor:
        """`entries` (K, W) is the dictionary."""
        height, width = x.shape[2:]
        query = self.query(x).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
        entries = self.norm(entries)
        key, value = (
            v.unflatten(1, (self.heads, -1)).transpose(0, 1) for v in (self.key(entries), entries)
        )  # (heads, K, W / heads) each
        likeness = (query @ key.transpose(1, 2)) * self.sharpness  # (B, heads, h * w, K)
        read = likeness.float().softmax(-1).to(query.dtype) @ value.to(query.dtype)
        found: Tensor = self.leave(read.transpose(2, 3).flatten(1, 2).unflatten(2, (height, width)))
        return found


class DictionaryAttention(nn.Module):
    """Features (B, I, h, w) and a dictionary (K, W) to (B, O, h, w): attention and a gated MLP."""

    def __init__(self, channels_in: int, channels_out: int, width: int, heads: int) -> None:
        super().__init__()
        self.enter, self.leave = pointwise(channels_in, width), pointwise(width, channels_out)
        self.norm, self.aggregate = ChannelLayerNorm(width), DenseAggregation(width)
        self.lookup_norm, self.lookup = ChannelLayerNorm(width), DictionaryLookup(width, heads)
        self.mlp_norm, self.mlp = ChannelLayerNorm(width), GatedConvolutionMlp(width)
        self.skips = nn.ModuleList(ScaledSkip(width) for _ in range(3))

    def forward(self, x: Tensor, entries: Tensor) -> Tensor:
        x = self.enter(x)
        x = self.skips[0](x) + self.aggregate(self.norm(x))
        x = self.skips[1](x) + self.lookup(self.lookup_norm(x), entries)
        x = self.skips[2](x) + self.mlp(self.mlp_norm(x))
        found: Tensor = self.leave(x)
        return found

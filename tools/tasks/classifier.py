"""A small residual classifier whose input is a tensor of any number of channels: pixels or latents.

Residual blocks with activations before the convolutions, He et al., arXiv:1603.05027. Differs: group
normalisation (arXiv:1803.08494) and GELU, which compute alike in training and evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

MOST_CHANNELS, MOST_BLOCKS, MOST_STAGES, MOST_PATCH = 4096, 64, 8, 64
STEMS = ("patch", "steps")
GROUP = 8  # channels of a group of the normalisation
SMALLEST_DEVIATION = 1e-3  # of the input; limits the scaling of a nearly constant input


@dataclass(frozen=True)
class ClassifierConfig:
    """Stage k has width * 2**k channels at half the positions a side of the stage before."""

    classes: int
    inputs: int = 3  # channels
    patch: int = 16  # input positions a side for one position of the first stage
    grow: int = 1  # positions of the first stage a side for one input position
    stem: str = "patch"  # one strided layer, or "steps": 3x3 convolutions of stride 2
    width: int = 48
    stages: int = 2
    blocks: int = 2  # of each stage

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        for name, most in (
            ("classes", MOST_CHANNELS), ("inputs", MOST_CHANNELS), ("patch", MOST_PATCH),
            ("grow", MOST_PATCH), ("width", MOST_CHANNELS), ("stages", MOST_STAGES),
            ("blocks", MOST_BLOCKS),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or not 0 < value <= most:
                raise ValueError(f"{name} is {value!r}: expected a whole number from 1 to {most}")
        if self.stem not in STEMS:
            raise ValueError(f"stem is {self.stem!r}: expected one of {STEMS}")
        if self.width % GROUP:
            raise ValueError(f"width is {self.width}: expected a multiple of {GROUP}")
        if self.patch > 1 and self.grow > 1:
            raise ValueError("patch and grow: one of them is 1")
        if self.stem == "steps" and self.patch & (self.patch - 1):
            raise ValueError(f"patch is {self.patch}: steps of 2 want a power of 2")

    @property
    def multiple(self) -> int:
        """The sides of the input must be multiples of this number."""
        return int(self.patch * 2 ** (self.stages - 1)) if self.grow == 1 else 2**self.stages


class ResidualStage(nn.Sequential):
    """Halves the positions where channels change, then residual blocks."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        shrink = [nn.Conv2d(inputs, outputs, 2, stride=2)] if inputs != outputs else []
        super().__init__(*shrink, *[PreactivatedBlock(outputs) for _ in range(blocks)])


class PreactivatedBlock(nn.Module):
    """(B, C, h, w) to the same shape; the identity at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            normalised(channels), nn.GELU(), nn.Conv2d(channels, channels, 3, padding=1),
            normalised(channels), nn.GELU(), nn.Conv2d(channels, channels, 3, padding=1),
        )  # fmt: skip
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        moved: Tensor = x + self.body(x)
        return moved


class TaskClassifier(nn.Module):
    """x (B, inputs, h, w) to logits (B, classes)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = c = config
        self.register_buffer("mean", torch.zeros(1, c.inputs, 1, 1))
        self.register_buffer("deviation", torch.ones(1, c.inputs, 1, 1))
        self.enter = entrance(c)
        widths = [c.width * 2**k for k in range(c.stages)]
        self.stages = nn.ModuleList(
            ResidualStage(inputs, outputs, c.blocks)
            for inputs, outputs in zip([c.width, *widths], widths, strict=False)
        )
        self.leave = nn.Sequential(
            normalised(widths[-1]), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(widths[-1], c.classes),
        )  # fmt: skip

    @torch.no_grad()
    def standardise(self, x: Tensor) -> None:
        """Take the mean of each channel, and one deviation, from x (N, inputs, h, w).

        One deviation keeps the proportions of the channels: weak channels of a latent stay small.
        """
        x = x.float()
        self.mean.copy_(x.mean((0, 2, 3), keepdim=True))
        deviation = (x - self.mean).square().mean().sqrt()
        self.deviation.copy_(deviation.clamp_min(SMALLEST_DEVIATION).expand_as(self.deviation))

    def features(self, x: Tensor) -> list[Tensor]:
        """The outputs of all stages, in order."""
        found = []
        h = self.enter((x - self.mean) / self.deviation)
        for stage in self.stages:
            h = stage(h)
            found.append(h)
        return found

    def classify(self, features: list[Tensor]) -> Tensor:
        """Logits from the outputs of `features`."""
        logits: Tensor = self.leave(features[-1])
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def entrance(c: ClassifierConfig) -> nn.Sequential:
    """(B, inputs, h, w) to (B, width, h * grow / patch, w * grow / patch)."""
    if c.grow > 1:
        return nn.Sequential(nn.Conv2d(c.inputs, c.width * c.grow**2, 1), nn.PixelShuffle(c.grow))
    if c.stem == "patch":
        return nn.Sequential(nn.Conv2d(c.inputs, c.width, c.patch, stride=c.patch))
    layers: list[nn.Module] = []
    steps = max(1, c.patch.bit_length() - 1)
    widths = [max(GROUP, c.width >> (steps - 1 - k) & ~(GROUP - 1)) for k in range(steps)]
    for k, (inputs, outputs) in enumerate(zip([c.inputs, *widths], widths, strict=False)):
        layers += [normalised(inputs), nn.GELU()] if k else []
        layers += [nn.Conv2d(inputs, outputs, 3, stride=2 if c.patch > 1 else 1, padding=1)]
    return nn.Sequential(*layers)


def normalised(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // GROUP, channels)

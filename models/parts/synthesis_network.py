"""Networks without a context: the hyper-synthesis gives scales and, in mean-scale models, means.

Sources: the scale hyperprior, arXiv:1802.01436, and the mean-scale hyperprior, arXiv:1809.02736. For
coding, scales come from the hyper-synthesis in integers (synthesis_scales.py), means from its float form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nacre.entropy.schedule import whole
from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Arrays, Reach, Shapes
from nacre.models.parts.bound import at_least
from nacre.models.parts.channels import band_rows, read_row_table
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.exact_convolutions import ConvolutionShape
from nacre.models.parts.hyperprior import GainUnitNetwork
from nacre.models.parts.priors import SCALES, ExactPrior, ScaleIntegers, TrainingPrior
from nacre.models.parts.rows import LOG2_MIN
from nacre.models.parts.synthesis_scales import (
    IntegerSynthesis,
    ScaleSynthesis,
    quantise_synthesis,
    scale_shapes,
)


class SynthesisContext(Context):
    """Means and log2 scales from the output of h_s (B, M or 2M, h, w): scales, then means if any."""

    gives_scales = True

    def __init__(self, latent: int, has_means: bool) -> None:
        super().__init__()
        self.turns = (whole("y", latent),)
        self.has_means = has_means

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        if self.has_means:
            scale, mean = features.chunk(2, 1)
        else:
            scale, mean = features, torch.zeros_like(features)
        return torch.cat(
            [mean, torch.log2(at_least(scale.float(), 2.0**LOG2_MIN)).to(mean.dtype)], 1
        )


class SynthesisScaleNetwork(GainUnitNetwork):
    """z at stride 64 and y at stride 16 are coded in one turn each.

    z is rounded around `median`, a value for each channel.
    """

    means: SynthesisContext

    def __init__(
        self,
        config: Any,  # hyper, latent, knots, lambda_min, lambda_max
        reach: Reach,
        analysis: nn.Module,
        synthesis: nn.Module,
        hyper_analysis: nn.Module,
        layers: Sequence[ConvolutionShape],  # of the hyper-synthesis
        has_means: bool,
    ) -> None:
        super().__init__(
            config,
            reach,
            analysis,
            synthesis,
            hyper_analysis,
            ScaleSynthesis(layers),
            SynthesisContext(config.latent, has_means),
        )
        self.median = nn.Parameter(torch.zeros(config.hyper))
        self.layers = tuple(layers)

    def hyper_mean(self, z: Tensor) -> Tensor:
        return self.median[:, None, None].expand_as(z)

    def shown(self, y_hat: Tensor, features: Tensor) -> Planes:
        return {"y": y_hat}

    @property
    def _bands(self) -> int:
        return 1 if self.is_one_rate else super()._bands

    def prior(self, shapes: Shapes, t: Tensor) -> TrainingPrior:
        return _LivePrior(self, shapes, t)

    def quantise(self, run: Callable[[], object]) -> ScaleIntegers:
        assert isinstance(self.hyper_synthesis, ScaleSynthesis)
        scales = quantise_synthesis(
            self.hyper_synthesis, scale_shapes(self.layers, self.config.latent), self.median, run
        )
        return SynthesisIntegers(scales, band_rows(QUALITIES, self.config.hyper, self._bands))


class _LivePrior(TrainingPrior):
    """The prior for training and search: scales follow the symbols of z, even if another prior gives means."""

    def rows(self, turn: int, seen: Planes) -> Tensor:
        if turn == 0:
            return super().rows(turn, seen)
        z = seen["z"]
        features = self.known_features({"z": z + self.network.hyper_mean(z)})
        return self.network.means(0, features, seen["y"], {}).chunk(2, 1)[1].float()


class _ScalesOnly(ExactPrior):
    """The prior for coding without means: the hyper-synthesis does not run in floats."""

    def mean(self, turn: int, known: Planes) -> Tensor:
        return super().mean(turn, known) if turn == 0 else torch.zeros_like(known["y"])

    def settle(self, turn: int, known: Planes) -> Planes:
        return known

    def shown(self, known: Planes) -> Planes:
        return {"y": known["y"]}


@dataclass(frozen=True)
class SynthesisIntegers(ScaleIntegers):
    """The integers of a model whose scales come from its hyper-synthesis, without its tables."""

    def prior(self, network: Any, shapes: Shapes, quality: int) -> ExactPrior:
        prior = ExactPrior if network.means.has_means else _ScalesOnly
        return prior(network, self, shapes, quality)


def synthesis_integers_reader(
    layers: Callable[[Any], Sequence[ConvolutionShape]],
) -> Callable[[Any, Arrays], ScaleIntegers]:
    """A function for `Family.integers`; `layers` gives the hyper-synthesis of a configuration."""

    def read(config: Any, arrays: Arrays) -> ScaleIntegers:
        own = {k.removeprefix(SCALES): a for k, a in arrays.items() if k.startswith(SCALES)}
        scales = IntegerSynthesis.from_arrays(scale_shapes(layers(config), config.latent), own)
        z_rows = read_row_table(arrays, "z", QUALITIES, config.hyper)
        return SynthesisIntegers(scales, z_rows)

    return read

"""The networks of the default family, put together."""

from __future__ import annotations

from torch import Tensor

from nacre.entropy.walk import Planes
from nacre.models.family import Reach
from nacre.models.nacre.config import NacreConfig
from nacre.models.nacre.context import HyperAnalysis, HyperSynthesis, MeanContext
from nacre.models.nacre.transforms import AnalysisTransform, SynthesisTransform, start_linear
from nacre.models.parts.context import Context
from nacre.models.parts.hyperprior import STRIDE, HyperpriorNetwork

LEAST_SHARE = 0.25  # of the shipped network's memory, at least: pixels and their copies remain


class NacreNetwork(HyperpriorNetwork):
    """Analysis, synthesis, hyperprior, mean context and scale network of one configuration.

    Codes z at stride 64 in one turn, then y at stride 16 in four, or in the turns of another context.
    """

    analysis: AnalysisTransform
    synthesis: SynthesisTransform

    def __init__(self, config: NacreConfig, means: Context | None = None) -> None:
        super().__init__(
            config,
            reach(config),
            AnalysisTransform(config),
            SynthesisTransform(config),
            HyperAnalysis(config),
            HyperSynthesis(config),
            MeanContext(config) if means is None else means,
        )

    def prepare(self, x: Tensor) -> Tensor:
        return self.analysis.at_any_quality(x)

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        return {"y": self.analysis.at_quality(prepared, t)}

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        return self.synthesis(shown["y"], shown["features"], t)

    def step_sizes(self, t: Tensor) -> Planes:
        return {**super().step_sizes(t), "y": self.synthesis.ungain(t)[:, :, 0, 0]}

    def start(self, x: Tensor) -> None:
        start_linear(self.analysis, self.synthesis, x)


def reach(c: NacreConfig) -> Reach:
    """The halo is one position for each block at stride 16 and one for every two blocks at stride 8.

    Bytes were measured at the shipped widths and are scaled with the widths.
    """
    activations = max(c.width8 / 128, c.width16 / 256, LEAST_SHARE)
    planes = max((c.latent + c.context) / 576, LEAST_SHARE)
    halo = c.blocks16 + -(-c.blocks8 // 2)
    return Reach(STRIDE, halo, 200 * activations, 40 * planes, 60 * planes, 1100 * activations)

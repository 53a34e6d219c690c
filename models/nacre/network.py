"""The networks of the default family, put together."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from nacre.entropy.schedule import quarters, whole
from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Network, Plane, Reach, Shapes
from nacre.models.nacre.config import HYPER_STRIDE, STRIDE, NacreConfig
from nacre.models.nacre.context import HyperAnalysis, HyperSynthesis, MeanContext
from nacre.models.nacre.priors import NacreIntegers, TrainingPrior
from nacre.models.nacre.scales import STEPS, ScaleNet
from nacre.models.nacre.transforms import AnalysisTransform, SynthesisTransform, start_linear
from nacre.models.parts.channels import ChannelScales, band_rows, band_scales
from nacre.models.parts.rows import Rows, rows_by_scale

LEAST_SHARE = 0.25  # of the shipped network's memory, for any: pixels and their copies remain
Z_BANDS = 2  # bands of quality in which a channel of z has a table of its own


class NacreNetwork(Network):
    """Analysis, synthesis, hyperprior, mean context and scale network of one configuration.

    y at stride 16 is coded in four turns, z at stride 64 in one before them.
    """

    def __init__(self, config: NacreConfig) -> None:
        super().__init__()
        self.config = config
        self.planes = {
            "z": Plane(config.hyper, STRIDE * HYPER_STRIDE),
            "y": Plane(config.latent, STRIDE),
        }
        # z shares the first layer: a picture can be made of it alone.
        self.schedule = (whole("z", config.hyper), *quarters("y", config.latent))
        self.reach = reach(config)
        self.analysis = AnalysisTransform(config)
        self.synthesis = SynthesisTransform(config)
        self.hyper_analysis = HyperAnalysis(config)
        self.hyper_synthesis = HyperSynthesis(config)
        self.hyper_scale = ChannelScales(config.hyper, config.knots)
        self.means = MeanContext(config)
        self.scales = ScaleNet(config)

    def prepare(self, x: Tensor) -> Tensor:
        return self.analysis.at_any_quality(x)

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        return {"y": self.analysis.at_quality(prepared, t)}

    def complete(self, planes: Planes, t: Tensor) -> Planes:
        y = planes["y"]
        padding = (0, -y.shape[3] % HYPER_STRIDE, 0, -y.shape[2] % HYPER_STRIDE)
        z = self.hyper_analysis(F.pad(y, padding, mode="replicate") if any(padding) else y)
        return {"z": z.float(), "y": y}

    def prior(self, shapes: Shapes, t: Tensor) -> TrainingPrior:
        return TrainingPrior(self, shapes, t)

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        return self.synthesis(shown["y"], shown["features"], t)

    def lmbda(self, t: Tensor) -> Tensor:
        low, high = self.config.lambda_min, self.config.lambda_max
        return low * (high / low) ** t

    def rows(self) -> dict[str, Rows]:
        return {"z": Rows(band_scales(self.hyper_scale, Z_BANDS), False), "y": rows_by_scale()}

    def quantise(self, run: Callable[[], object]) -> NacreIntegers:
        z_rows = band_rows(QUALITIES, self.config.hyper, Z_BANDS)
        return NacreIntegers.of(self, z_rows, run)

    def start(self, x: Tensor) -> None:
        start_linear(self.analysis, self.synthesis, x)

    def multiplications(self) -> dict[str, float]:
        return multiplications(self)


def reach(c: NacreConfig) -> Reach:
    """A halo of one position for each block at stride 16, and of one for every two at stride 8.

    Bytes were measured with the shipped widths, and follow the widths from there.
    """
    activations = max(c.width8 / 128, c.width16 / 256, LEAST_SHARE)
    planes = max((c.latent + c.context) / 576, LEAST_SHARE)
    halo = c.blocks16 + -(-c.blocks8 // 2)
    return Reach(STRIDE, halo, 200 * activations, 40 * planes, 60 * planes, 1100 * activations)


def multiplications(model: NacreNetwork) -> dict[str, float]:
    """Multiply-accumulates for one pixel, in thousands: of "encode", of "decode".

    Counted from the convolutions and the strides that they run at; a step of the context runs
    at every position of the latent.
    """

    def cost(module: nn.Module, stride: float) -> float:
        """All convolutions of a part that runs at one stride."""
        total = 0.0
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                per_output = layer.in_channels // layer.groups * layer.kernel_size[0] ** 2
                total += layer.out_channels * per_output / stride**2
        return total

    a, s, hyper = model.analysis, model.synthesis, STRIDE * HYPER_STRIDE
    analysis = cost(a.stride8, 8) + cost(a.stride16, STRIDE) + cost(a.leave, STRIDE)
    analysis += cost(a.bypass, STRIDE)
    synthesis = cost(s.enter, STRIDE) + cost(s.stride16, STRIDE) + cost(s.stride8, 8)
    synthesis += cost(s.bypass, STRIDE)
    ha, hs, scales = list(model.hyper_analysis), list(model.hyper_synthesis), model.scales
    hyper_analysis = cost(ha[0], STRIDE) + cost(ha[1], 32) + cost(ha[2], 32) + cost(ha[3], hyper)
    hyper_synthesis = cost(hs[0], hyper) + cost(hs[1], 32) + cost(hs[2], 32)
    means = cost(model.means.enter, STRIDE) + cost(model.means.leave, STRIDE)
    means += STEPS * cost(model.means.shared, STRIDE)
    rows = cost(scales.up1, hyper) + cost(scales.mix, 32) + cost(scales.up2, 32)
    rows += sum(
        cost(part, STRIDE) for part in (scales.step_enter, scales.step_mix, scales.step_leave)
    )
    context = hyper_synthesis + means + rows
    return {
        "encode": (analysis + hyper_analysis + context) / 1000,
        "decode": (context + synthesis) / 1000,
    }

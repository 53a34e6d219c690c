"""Networks with a hyper-latent and a context: the base of the published families and the default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import whole
from nacre.entropy.walk import Planes
from nacre.models.family import QUALITIES, Network, Plane, Reach, Shapes
from nacre.models.parts.blocks import QualityTable
from nacre.models.parts.channels import ChannelScales, band_rows, band_scales
from nacre.models.parts.context import Context
from nacre.models.parts.count import multiplications
from nacre.models.parts.priors import ScaleIntegers, TrainingPrior
from nacre.models.parts.rows import Rows, rows_by_scale
from nacre.models.parts.scales import ScaleNet, ScaleShape

STRIDE = 16  # pixels a side for one position of y, in most families
HYPER_STRIDE = 4  # positions of y a side for one of z, in most families
MOST_TABLES = 256  # of z: a row number is one byte
# High-rate theory: the best step is sqrt(18 / (lambda ln 2)) on the 0..255 scale. With lambda from
# 0.0012 to 1.09 it is 0.1 of the unit range midway, and 30 times finer at the top than at the bottom.
GAIN_MIDDLE, GAIN_SLOPE = 2.28, 3.4


@dataclass(frozen=True)
class HyperpriorConfig:
    """The fields that every network with a hyper-latent needs; families add fields, all plain numbers."""

    latent: int = 320  # channels of y, at stride 16
    hyper: int = 192  # channels of z, at stride 64
    scale_width: int = 128  # of the scale network
    float_scales: bool = False  # scales in floats, as published: for comparison, codes no files
    knots: int = 10  # of the quality tables
    lambda_min: float = 0.0012  # at quality 1; loss = bits per pixel + lambda * MSE on 0..255
    lambda_max: float = 1.0901  # at quality 100


class HyperpriorNetwork(Network):
    """Codes z in one turn, then y in the turns of its context; by default at strides 64 and 16.

    `reach.stride` is the stride of y. Rows of y come from a scale network that sees integers alone (scales.py);
    the context gives means. With `float_scales` the context gives both, as published; such a network is trained
    for comparison and refused at export.
    """

    def __init__(
        self,
        config: Any,  # with the fields of HyperpriorConfig
        reach: Reach,
        analysis: nn.Module,  # (B, 3, H, W) in [0, 1] to (B, M, H/16, W/16)
        synthesis: nn.Module,  # (B, M, H/16, W/16) to (B, 3, H, W), not clamped
        hyper_analysis: nn.Module,  # (B, M, h, w), sides multiples of 4, to (B, Z, h/4, w/4)
        hyper_synthesis: nn.Module,  # (B, Z, h/4, w/4) to features (B, F, h, w)
        means: Context,
        beside: int = 0,  # channels of the output of `beside()`
        hyper_stride: int = HYPER_STRIDE,
    ) -> None:
        super().__init__()
        self.config = self._sizes = config
        self.reach = reach
        self.hyper_stride = hyper_stride
        self.planes = {
            "z": Plane(config.hyper, reach.stride * hyper_stride),
            "y": Plane(config.latent, reach.stride),
        }
        # z is in the first layer of a file, which can be decoded to a picture without later layers.
        self.schedule = (whole("z", config.hyper), *means.turns)
        self.analysis, self.synthesis = analysis, synthesis
        self.hyper_analysis, self.hyper_synthesis = hyper_analysis, hyper_synthesis
        self.hyper_scale = ChannelScales(config.hyper, config.knots)
        self.means = means
        self.scales = None
        if not means.gives_scales:
            shape = ScaleShape.of(
                means.turns, config.hyper, config.scale_width, beside, hyper_stride
            )
            self.scales = ScaleNet(shape)

    def complete(self, planes: Planes, t: Tensor) -> Planes:
        y = planes["y"]
        padding = (0, -y.shape[3] % self.hyper_stride, 0, -y.shape[2] % self.hyper_stride)
        z = self.hyper_analysis(F.pad(y, padding, mode="replicate") if any(padding) else y)
        return {"z": z.float(), "y": y}

    def hyper_mean(self, z: Tensor) -> Tensor:
        """The mean of z, in the shape of z."""
        return torch.zeros_like(z)

    def beside(self, shape: torch.Size) -> Tensor | None:
        """(B, N, h, w) whole numbers that encoder and decoder know before the walk; `shape` is of y."""
        return None

    def features(self, hyper: Tensor) -> Tensor:
        """The input of the context beside y, from the hyper features (B, F, h, w)."""
        return hyper

    def shown(self, y_hat: Tensor, features: Tensor) -> Planes:
        """The planes for the synthesis."""
        return {"y": y_hat, "features": features}

    def prior(self, shapes: Shapes, t: Tensor) -> TrainingPrior:
        return TrainingPrior(self, shapes, t)

    def lmbda(self, t: Tensor) -> Tensor:
        low, high = self._sizes.lambda_min, self._sizes.lambda_max
        return low * (high / low) ** t

    @property
    def _bands(self) -> int:
        """The number of quality bands; a channel of z has a table of its own in each."""
        return 2 if 2 * self._sizes.hyper <= MOST_TABLES else 1

    def rows(self) -> dict[str, Rows]:
        return {"z": Rows(band_scales(self.hyper_scale, self._bands), False), "y": rows_by_scale()}

    def quantise(self, run: Callable[[], object]) -> ScaleIntegers:
        if self.scales is None:
            raise WeightsError(
                "scales in floats differ between machines: float_scales codes no files"
            )
        z_rows = band_rows(QUALITIES, self._sizes.hyper, self._bands)
        return ScaleIntegers.of(self, z_rows, run)

    def multiplications(self) -> dict[str, float]:
        return multiplications(self)


class GainUnitNetwork(HyperpriorNetwork):
    """Published transforms of one rate, made to serve all qualities: y is scaled by a gain for each channel.

    Source: gain units, Cui et al., CVPR 2021 (arXiv:2003.02012). Differs: the gain is a curve over the
    quality, and z is not scaled.
    """

    def __init__(self, config: Any, *parts: Any, **named_parts: Any) -> None:
        super().__init__(config, *parts, **named_parts)
        self.gain = QualityTable(config.latent, config.knots, GAIN_SLOPE, GAIN_MIDDLE)
        self.ungain = QualityTable(config.latent, config.knots, -GAIN_SLOPE, -GAIN_MIDDLE)

    def analyse(self, prepared: Tensor, t: Tensor) -> Planes:
        y: Tensor = self.analysis(prepared) * self.gain(t)
        return {"y": y}

    def shown(self, y_hat: Tensor, features: Tensor) -> Planes:
        return {"y": y_hat}

    def synthesise(self, shown: Planes, t: Tensor) -> Tensor:
        x_hat: Tensor = self.synthesis(shown["y"] * self.ungain(t))
        return x_hat

    def step_sizes(self, t: Tensor) -> Planes:
        return {**super().step_sizes(t), "y": self.ungain(t)[:, :, 0, 0]}

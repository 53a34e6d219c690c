"""The scale of every symbol from integers alone, as a network to train and in exact arithmetic.

The scale selects the frequency table of a symbol, so it must be equal on every machine. Both forms
see only the hyper-latent and the magnitudes of symbols decoded so far. `ScaleNet` is trained in
floats; `IntegerScales` is made from it once (`quantise`), and files are written and read with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import QUARTERS
from nacre.models.nacre.config import NacreConfig
from nacre.models.parts.blocks import Up, depthwise, pointwise
from nacre.models.parts.integer import (
    ACTIVATION_TOP,
    HEADROOM,
    IntegerLayer,
    LargestOutputs,
    quantise_layer,
)
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP, ROWS

STEPS = len(QUARTERS)  # of y
MAX_HYPER = 127  # larger hyper-latents look the same to the scale network
MAX_MAGNITUDE = 8  # so do larger magnitudes
MAGNITUDE_UNIT = 2**8  # the integer for a magnitude of one: its weights get the size of the others


class ScaleNet(nn.Module):
    """log2 of the scale, in floats, for training: pointwise and depth-wise layers and ReLU only."""

    def __init__(self, c: NacreConfig) -> None:
        super().__init__()
        width = c.scale_width
        self.up1, self.mix, self.up2 = Up(c.hyper, width), depthwise(width), Up(width, width)
        widths = [width + (c.latent if k else 0) for k in range(STEPS)]
        self.step_enter = nn.ModuleList([pointwise(w, width) for w in widths])
        self.step_mix = nn.ModuleList([depthwise(width) for _ in range(STEPS)])
        self.step_leave = nn.ModuleList([pointwise(width, c.latent) for _ in range(STEPS)])

    def hyper(self, z_hat: Tensor) -> Tensor:
        """z_hat (B, Z, h, w), integers, to features (B, width, 4h, 4w)."""
        z = z_hat.clamp(-MAX_HYPER, MAX_HYPER)
        return F.relu(self.up2(F.relu(self.mix(F.relu(self.up1(z))))))

    def forward(self, hyper: Tensor, magnitudes: Tensor, step: int) -> Tensor:
        """(B, M, h, w) log2 of the scale, in quantisation steps; magnitudes (B, M, h, w)."""
        x = torch.cat([hyper, magnitudes.to(hyper.dtype)], 1) if step else hyper
        x = F.relu(self.step_mix[step](F.relu(self.step_enter[step](x))))
        return self.step_leave[step](x).float()


def layer_names() -> Iterator[str]:
    """All layers, in the order in which they run."""
    yield from ("up1", "mix", "up2")
    for k in range(STEPS):
        yield from (f"step_enter.{k}", f"step_mix.{k}", f"step_leave.{k}")


@dataclass(frozen=True)
class IntegerScales:
    """`ScaleNet` in exact integers: table rows that are equal on every machine. Runs on the CPU."""

    layers: Mapping[str, IntegerLayer]

    def hyper(self, z_hat: Tensor) -> Tensor:
        """z_hat (Z, h, w) to features (width, 4h, 4w); integers in float64."""
        z = z_hat.double().clamp(-MAX_HYPER, MAX_HYPER)
        x = F.pixel_shuffle(self.layers["up1"](z), 2)
        return F.pixel_shuffle(self.layers["up2"](self.layers["mix"](x)), 2)

    def rows(self, hyper: Tensor, magnitudes: Tensor, step: int) -> Tensor:
        """(M, h, w) uint8 rows; magnitudes (M, h, w) are at most MAX_MAGNITUDE."""
        x = torch.cat([hyper, magnitudes.double() * MAGNITUDE_UNIT]) if step else hyper
        for name in ("step_enter", "step_mix", "step_leave"):
            x = self.layers[f"{name}.{step}"](x)
        return x.to(torch.uint8)

    def prove_exact(self) -> float:
        """Largest partial sum over all layers; raises WeightsError where it could pass 2**53."""
        largest = 0.0
        for name, layer in self.layers.items():
            inputs = layer.weight.shape[0 if layer.is_depthwise else 1]
            top = torch.full((inputs,), float(ACTIVATION_TOP), dtype=torch.float64, device="cpu")
            if name == "up1":
                top[:] = MAX_HYPER
            elif name.startswith("step_enter") and not name.endswith(".0"):
                top[self.layers["up2"].weight.shape[0] // 4 :] = MAX_MAGNITUDE * MAGNITUDE_UNIT
            largest = max(largest, float(layer.prove_exact(top).max()))
        return largest

    def check_shapes(self, c: NacreConfig) -> None:
        """Raises WeightsError unless the layers are those of a configuration."""
        wide = {"up1": 4 * c.scale_width, "up2": 4 * c.scale_width}
        for name, layer in self.layers.items():
            out = c.latent if "leave" in name else wide.get(name, c.scale_width)
            into = c.hyper if name == "up1" else c.scale_width
            if name.startswith("step_enter") and not name.endswith(".0"):
                into += c.latent
            wanted = (out, 9 if layer.is_depthwise else into)
            vectors = {tuple(v.shape) for v in (layer.bias, layer.multiplier)}
            if tuple(layer.weight.shape) != wanted or vectors != {(out,)}:
                raise WeightsError(
                    f"scale network: {name} is of shape {tuple(layer.weight.shape)}, not {wanted}"
                )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """For the weights file."""
        return {
            k: v for name, layer in self.layers.items() for k, v in layer.to_arrays(name).items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> IntegerScales:
        """Undo `to_arrays`; raises WeightsError where exactness is not proven."""
        scales = cls(
            {
                name: IntegerLayer.from_arrays(name, arrays, _top(name), "mix" in name)
                for name in layer_names()
            }
        )
        scales.prove_exact()
        return scales


def _top(name: str) -> int:
    return ROWS - 1 if name.startswith("step_leave") else ACTIVATION_TOP


def watch(net: ScaleNet) -> LargestOutputs:
    """Notes the ranges that `quantise` needs, while the network runs."""
    return LargestOutputs(net, (name for name in layer_names() if "leave" not in name))


def quantise(net: ScaleNet, seen: Mapping[str, float]) -> IntegerScales:
    """Make the exact form of a trained network; `seen` has the largest output of each layer, see `watch`."""
    unit = {name: HEADROOM * largest / ACTIVATION_TOP for name, largest in seen.items()}
    width = net.mix.in_channels
    convs = {"up1": net.up1.project, "mix": net.mix, "up2": net.up2.project}
    modules = dict(net.named_modules())
    layers = {}
    previous = ""
    for name in layer_names():
        conv = convs.get(name, modules.get(name))
        assert isinstance(conv, nn.Conv2d)
        inputs = torch.full((conv.in_channels,), 1.0, dtype=torch.float64, device="cpu")
        if name.startswith("step_enter"):
            inputs[:width] = unit["up2"]
            inputs[width:] = 1 / MAGNITUDE_UNIT
        elif previous:
            inputs[:] = unit[previous]
        is_last = "leave" in name
        output_unit, offset = (ROW_STEP, -LOG2_MIN) if is_last else (unit[name], 0.0)
        layers[name] = quantise_layer(conv, inputs, output_unit, _top(name), offset)
        previous = name
    scales = IntegerScales(layers)
    scales.prove_exact()
    return scales

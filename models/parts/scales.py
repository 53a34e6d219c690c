"""The scale of every symbol from integers alone, as a network to train and in exact arithmetic.

The scale selects the frequency table of a symbol, so it must be equal on every machine. Both forms
see only the hyper-latent and the magnitudes of symbols decoded so far. `ScaleNet` is trained in
floats; `IntegerScales` is made from it once (`quantise`), and files are written and read with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.schedule import Schedule
from nacre.models.parts.blocks import Up, depthwise, pointwise
from nacre.models.parts.integer import (
    ACTIVATION_TOP,
    HEADROOM,
    IntegerLayer,
    LargestOutputs,
    quantise_layer,
)
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP, ROWS

MAX_HYPER = 127  # larger hyper-latents look the same to the scale network
MAX_MAGNITUDE = 8  # larger magnitudes look the same to the scale network
MAGNITUDE_UNIT = 2**8  # stands for a magnitude of one; puts its weights in the range of the others


@dataclass(frozen=True)
class ScaleShape:
    """Channels of a scale network, and of its inputs and outputs in each turn of y."""

    hyper: int  # of z
    width: int
    inputs: tuple[int, ...]  # channels of y, from the first, that may be decoded before the turn
    outputs: tuple[int, ...]  # channels of the turn
    beside: int = 0  # channels of magnitudes that are known before the first turn
    factor: int = 4  # positions of y a side for one of z, even

    @classmethod
    def of(
        cls, turns: Schedule, hyper: int, width: int, beside: int = 0, factor: int = 4
    ) -> ScaleShape:
        """The shape for the turns of y in their order."""
        stops = [0, *(turn.channels.stop for turn in turns)]
        inputs = tuple(max(stops[: k + 1]) for k in range(len(turns)))
        outputs = tuple(len(turn.channels) for turn in turns)
        return cls(hyper, width, inputs, outputs, beside, factor)

    @property
    def turns(self) -> range:
        return range(len(self.outputs))


class ScaleNet(nn.Module):
    """log2 of the scale, in floats, for training: pointwise and depth-wise layers and ReLU only."""

    def __init__(self, shape: ScaleShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.up1 = Up(shape.hyper, width, shape.factor // 2)
        self.mix, self.up2 = depthwise(width), Up(width, width)
        self.step_enter = nn.ModuleList(
            [pointwise(width + n + shape.beside, width) for n in shape.inputs]
        )
        self.step_mix = nn.ModuleList([depthwise(width) for _ in shape.turns])
        self.step_leave = nn.ModuleList([pointwise(width, n) for n in shape.outputs])

    def hyper(self, z_hat: Tensor) -> Tensor:
        """z_hat (B, Z, h, w), integers, to features (B, width, factor * h, factor * w)."""
        z = z_hat.clamp(-MAX_HYPER, MAX_HYPER)
        return F.relu(self.up2(F.relu(self.mix(F.relu(self.up1(z))))))

    def forward(
        self, hyper: Tensor, magnitudes: Tensor, turn: int, beside: Tensor | None = None
    ) -> Tensor:
        """(B, C, h, w) log2 of the scale of the turn's channels.

        `magnitudes` (B, M, h, w) covers all of y, zero where it is not decoded; `beside` (B, N, h, w) was known
        before the first turn. Both are at most MAX_MAGNITUDE.
        """
        seen = self.shape.inputs[turn]
        parts = [hyper, magnitudes[:, :seen]] + ([] if beside is None else [beside])
        x = torch.cat([part.to(hyper.dtype) for part in parts], 1)
        x = F.relu(self.step_mix[turn](F.relu(self.step_enter[turn](x))))
        return self.step_leave[turn](x).float()


def layer_names(turns: Iterable[int]) -> Iterator[str]:
    """All layers, in the order in which they run."""
    yield from ("up1", "mix", "up2")
    for k in turns:
        yield from (f"step_enter.{k}", f"step_mix.{k}", f"step_leave.{k}")


@dataclass(frozen=True)
class IntegerScales:
    """`ScaleNet` in exact integers: table rows that are equal on every machine. Runs on the CPU."""

    shape: ScaleShape
    layers: Mapping[str, IntegerLayer]

    def hyper(self, z_hat: Tensor) -> Tensor:
        """z_hat (Z, h, w) to features (width, factor * h, factor * w); integers in float64."""
        z = z_hat.double().clamp(-MAX_HYPER, MAX_HYPER)
        x = F.pixel_shuffle(self.layers["up1"](z), self.shape.factor // 2)
        return F.pixel_shuffle(self.layers["up2"](self.layers["mix"](x)), 2)

    def rows(
        self, hyper: Tensor, magnitudes: Tensor, turn: int, beside: Tensor | None = None
    ) -> Tensor:
        """(C, h, w) uint8 rows of the turn's channels; see `ScaleNet.forward`, without a batch."""
        seen = self.shape.inputs[turn]
        parts = [magnitudes[:seen]] + ([] if beside is None else [beside])
        x = torch.cat([hyper, *(part.double() * MAGNITUDE_UNIT for part in parts)])
        for name in ("step_enter", "step_mix", "step_leave"):
            x = self.layers[f"{name}.{turn}"](x)
        return x.to(torch.uint8)

    def prove_exact(self) -> float:
        """Largest partial sum over all layers; raises WeightsError where it could pass 2**53."""
        largest = 0.0
        for name, layer in self.layers.items():
            inputs = layer.weight.shape[0 if layer.is_depthwise else 1]
            top = torch.full((inputs,), float(ACTIVATION_TOP), dtype=torch.float64, device="cpu")
            if name == "up1":
                top[:] = MAX_HYPER
            elif name.startswith("step_enter"):
                top[self.shape.width :] = MAX_MAGNITUDE * MAGNITUDE_UNIT
            largest = max(largest, float(layer.prove_exact(top).max()))
        return largest

    def _check_shapes(self) -> None:
        """Raises WeightsError for layers that do not match the shape."""
        shape = self.shape
        wanted = {
            "up1": ((shape.factor // 2) ** 2 * shape.width, shape.hyper),
            "mix": (shape.width, 9),
            "up2": (4 * shape.width, shape.width),
        }
        for k in shape.turns:
            wanted[f"step_enter.{k}"] = (shape.width, shape.width + shape.inputs[k] + shape.beside)
            wanted[f"step_mix.{k}"] = (shape.width, 9)
            wanted[f"step_leave.{k}"] = (shape.outputs[k], shape.width)
        for name, layer in self.layers.items():
            vectors = {tuple(v.shape) for v in (layer.bias, layer.multiplier)}
            found = tuple(layer.weight.shape)
            if found != wanted[name] or vectors != {wanted[name][:1]}:
                raise WeightsError(f"scale network: {name} is of shape {found}, not {wanted[name]}")

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays for the weights file."""
        return {
            k: v for name, layer in self.layers.items() for k, v in layer.to_arrays(name).items()
        }

    @classmethod
    def from_arrays(cls, shape: ScaleShape, arrays: Mapping[str, NDArray[Any]]) -> IntegerScales:
        """Undo `to_arrays`; raises WeightsError for other shapes and where exactness is not proven."""
        scales = cls(
            shape,
            {
                name: IntegerLayer.from_arrays(name, arrays, _top(name), "mix" in name)
                for name in layer_names(shape.turns)
            },
        )
        scales._check_shapes()
        scales.prove_exact()
        return scales


def _top(name: str) -> int:
    return ROWS - 1 if name.startswith("step_leave") else ACTIVATION_TOP


def watch(net: ScaleNet) -> LargestOutputs:
    """Record the ranges that `quantise` needs while the network runs."""
    names = layer_names(net.shape.turns)
    return LargestOutputs(net, (name for name in names if "leave" not in name))


def quantise(net: ScaleNet, seen: Mapping[str, float]) -> IntegerScales:
    """Make the exact form of a trained network; `seen` has the largest output of each layer, see `watch`."""
    unit = {name: HEADROOM * largest / ACTIVATION_TOP for name, largest in seen.items()}
    width = net.shape.width
    convs = {"up1": net.up1.project, "mix": net.mix, "up2": net.up2.project}
    modules = dict(net.named_modules())
    layers = {}
    previous = ""
    for name in layer_names(net.shape.turns):
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
    scales = IntegerScales(net.shape, layers)
    scales.prove_exact()
    return scales

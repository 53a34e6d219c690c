"""The scale of every symbol from integers alone, as a network to train and in exact arithmetic.

The scale selects the frequency table of a symbol, so it must be equal on every machine. Both forms
see only the hyper-latent and the magnitudes of symbols decoded so far. `ScaleNet` is trained in
floats; `IntegerScales` is made from it once (`quantise`) and is what files are written and read with.

Integers are held in float64: while every partial sum stays below 2**53, which is proven from the
weights when they are loaded, each operation is exact, in whatever order a matrix routine adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.entropy.walk import MAX_MAGNITUDE, STEPS
from nacre.models.blocks import Up, depthwise, pointwise
from nacre.models.config import ImageConfig

ROWS = 64  # of the frequency tables, evenly spaced in log2 of the scale
LOG2_MIN, LOG2_MAX = -3.2, 6.0  # of the scale, in quantisation steps
ROW_STEP = (LOG2_MAX - LOG2_MIN) / (ROWS - 1)
MAX_HYPER = 127  # larger hyper-latents look the same to the scale network
WEIGHT_TOP, ACTIVATION_TOP = 2**11 - 1, 2**12 - 1  # 12-bit integers
MULTIPLIER_TOP = 2**16
MAGNITUDE_UNIT = (
    2**8
)  # what a magnitude of one counts for, so that its weights are of the size of the others
EXACT = 2**53  # float64 holds every integer up to here
HEADROOM = 1.25  # the largest activation, over the largest that was seen when quantising


class ScaleNet(nn.Module):
    """log2 of the scale, in floats, for training: pointwise and depth-wise layers and ReLU only."""

    def __init__(self, c: ImageConfig) -> None:
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


@dataclass(frozen=True)
class IntegerLayer:
    """clamp((weight * x + bias) * multiplier / 2**shift, 0, top), rounded half up; x are integers."""

    weight: Tensor  # float64 integers: (O, I), or (C, 9) for a depth-wise 3x3 layer
    bias: Tensor  # (O,) float64 integers
    multiplier: Tensor  # (O,) float64 integers
    shift: int
    top: int
    is_depthwise: bool

    def prove_exact(self, input_top: Tensor) -> Tensor:
        """The largest magnitude that a partial sum can reach, given (I,) those of the inputs."""
        reach = self.weight.abs() * (input_top[:, None] if self.is_depthwise else input_top)
        largest = (reach.sum(1) + self.bias.abs()) * self.multiplier + 2.0**self.shift
        if not bool((largest < EXACT).all()):
            raise WeightsError("scale network: a partial sum may pass 2**53")
        return largest

    def __call__(self, x: Tensor) -> Tensor:
        """(I, h, w) to (O, h, w), float64 integers on the CPU."""
        height, width = x.shape[1:]
        if self.is_depthwise:
            around = F.pad(x, (1, 1, 1, 1))
            total = self.bias[:, None, None].expand_as(x).clone()
            for k in range(9):
                dy, dx = divmod(k, 3)
                total.addcmul_(
                    self.weight[:, k, None, None], around[:, dy : dy + height, dx : dx + width]
                )
        else:
            total = torch.addmm(self.bias[:, None], self.weight, x.flatten(1)).unflatten(
                1, (height, width)
            )
        total.mul_(self.multiplier[:, None, None]).add_(2.0 ** (self.shift - 1)).mul_(
            2.0**-self.shift
        )
        return total.floor_().clamp_(0, self.top)


def _names() -> Iterator[str]:
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
            top = torch.full((inputs,), float(ACTIVATION_TOP), dtype=torch.float64)
            if name == "up1":
                top[:] = MAX_HYPER
            elif name.startswith("step_enter") and not name.endswith(".0"):
                top[self.layers["up2"].weight.shape[0] // 4 :] = MAX_MAGNITUDE * MAGNITUDE_UNIT
            largest = max(largest, float(layer.prove_exact(top).max()))
        return largest

    def to_arrays(self) -> dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.int16]]:
        """For the weights file; weights are int16, the rest whole numbers of the size they need."""
        out: dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.int16]] = {}
        for name, layer in self.layers.items():
            out[f"{name}.weight"] = layer.weight.numpy().astype(np.int16)
            out[f"{name}.bias"] = layer.bias.numpy().astype(np.int64)
            out[f"{name}.multiplier"] = layer.multiplier.numpy().astype(np.int32)
            out[f"{name}.shift"] = np.array([layer.shift], np.int32)
        return out

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> IntegerScales:
        """Undo `to_arrays`; raises WeightsError where exactness is not proven."""
        layers = {}
        for name in _names():
            parts = [f"{name}.{part}" for part in ("weight", "bias", "multiplier", "shift")]
            missing = [part for part in parts if part not in arrays]
            if missing:
                raise WeightsError(f"scale network: {missing[0]} is missing")
            if not all(np.issubdtype(arrays[part].dtype, np.integer) for part in parts):
                raise WeightsError(f"scale network: {name} is not of integers")
            weight, bias, multiplier, shift = (
                torch.from_numpy(np.asarray(arrays[part]).astype(np.float64)) for part in parts
            )
            if not 1 <= int(shift) <= 52 or float(multiplier.min()) < 0:
                raise WeightsError(
                    f"scale network: {name} has a shift or a multiplier out of range"
                )
            layers[name] = IntegerLayer(
                weight, bias, multiplier, int(shift), _top(name), "mix" in name
            )
        scales = cls(layers)
        scales.prove_exact()
        return scales


def _top(name: str) -> int:
    return ROWS - 1 if name.startswith("step_leave") else ACTIVATION_TOP


@torch.no_grad()
def quantise(net: ScaleNet, seen: Mapping[str, float]) -> IntegerScales:
    """Make the exact form of a trained network; `seen` has the largest output of each layer.

    Keys are "up1", "mix", "up2", "step_enter.0", ...; see `largest_outputs`.
    """
    unit = {
        name: HEADROOM * seen[name] / ACTIVATION_TOP for name in _names() if "leave" not in name
    }
    width = net.mix.in_channels

    def layer(name: str, conv: nn.Conv2d, input_unit: Tensor) -> IntegerLayer:
        is_depthwise = conv.groups > 1
        weight = conv.weight.detach().double().flatten(1)  # (O, I), or (C, 9)
        bias = conv.bias.detach().double() if conv.bias is not None else torch.zeros(len(weight))
        weight = weight * (input_unit[:, None] if is_depthwise else input_unit)
        output_unit = ROW_STEP if "leave" in name else unit[name]
        if "leave" in name:
            bias = bias - LOG2_MIN
        step = weight.abs().amax(1).clamp_min(1e-12) / WEIGHT_TOP
        ratio = step / output_unit
        shift = int(np.floor(np.log2(MULTIPLIER_TOP / float(ratio.max()))))
        return IntegerLayer(
            (weight / step[:, None]).round(), (bias / step).round(), (ratio * 2.0**shift).round(),
            shift, _top(name), is_depthwise,
        )  # fmt: skip

    def inputs(count: int, value: float) -> Tensor:
        return torch.full((count,), value, dtype=torch.float64)

    layers = {
        "up1": layer("up1", net.up1.project, inputs(net.up1.project.in_channels, 1.0)),
        "mix": layer("mix", net.mix, inputs(width, unit["up1"])),
        "up2": layer("up2", net.up2.project, inputs(width, unit["mix"])),
    }
    for k in range(STEPS):
        enter, mix, leave = net.step_enter[k], net.step_mix[k], net.step_leave[k]
        assert isinstance(enter, nn.Conv2d) and isinstance(mix, nn.Conv2d)
        assert isinstance(leave, nn.Conv2d)
        entering = inputs(enter.in_channels, unit["up2"])
        entering[width:] = 1 / MAGNITUDE_UNIT
        layers[f"step_enter.{k}"] = layer(f"step_enter.{k}", enter, entering)
        layers[f"step_mix.{k}"] = layer(
            f"step_mix.{k}", mix, inputs(width, unit[f"step_enter.{k}"])
        )
        layers[f"step_leave.{k}"] = layer(
            f"step_leave.{k}", leave, inputs(width, unit[f"step_mix.{k}"])
        )
    scales = IntegerScales(layers)
    scales.prove_exact()
    return scales


class LargestOutputs:
    """Notes the largest output of each layer of a `ScaleNet` while it runs; what `quantise` needs."""

    def __init__(self, net: ScaleNet) -> None:
        self.seen: dict[str, float] = dict.fromkeys(_names(), 1e-6)
        modules = dict(net.named_modules())
        self._handles = [
            modules[name].register_forward_hook(self._note(name))
            for name in _names()
            if "leave" not in name
        ]

    def _note(self, name: str):  # type: ignore[no-untyped-def]
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.seen[name] = max(self.seen[name], float(output.max()))

        return hook

    def close(self) -> dict[str, float]:
        for handle in self._handles:
            handle.remove()
        return self.seen

"""Table rows from a published hyper-synthesis, run in exact integers.

In the published systems the scale of y is an output of the hyper-synthesis h_s. It selects the frequency table
of a symbol, so it must be equal on every machine: `IntegerSynthesis` is h_s in integers, made from the
trained network once. It sees the symbols of z alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.models.parts.exact_convolutions import (
    FINE_TOP,
    ConvolutionShape,
    IntegerConvolution,
    quantise_convolution,
)
from nacre.models.parts.integer import HEADROOM
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP, ROWS

HYPER_UNIT = 32  # stands for a z of one, since medians of z are fractions
HYPER_LIMIT = FINE_TOP // HYPER_UNIT  # larger hyper-latents look the same
SCALE_UNIT = 2**12  # stands for a scale of one
SCALE_LIMIT = 64 * SCALE_UNIT  # larger scales share the last row
LEAST_SHARE = 2.0**-8  # least range of a channel, over the largest activation of its layer


class ScaleSynthesis(nn.Sequential):
    """h_s as it is published: z_hat (B, Z, h, w) to (B, F, 4h, 4w)."""

    def __init__(self, shapes: Sequence[ConvolutionShape]) -> None:
        super().__init__(*[module for shape in shapes for module in shape.modules()])


@dataclass(frozen=True)
class IntegerSynthesis:
    """The part of h_s that gives scales, in integers: its last layer has no other outputs. Runs on the CPU."""

    layers: tuple[IntegerConvolution, ...]
    median: Tensor  # (Z,) float64 integers, the zero of z in units of HYPER_UNIT
    boundaries: Tensor  # (ROWS - 1,) float64 integers: the largest scale of each row but the last

    def hyper(self, z: Tensor) -> Tensor:
        """Symbols z (Z, h, w) to (M, 4h, 4w) uint8 table rows."""
        x = z.double() * HYPER_UNIT + self.median[:, None, None]
        x.clamp_(-FINE_TOP, FINE_TOP)
        for layer in self.layers:
            x = layer(x)
        return torch.bucketize(x, self.boundaries).to(torch.uint8)

    def rows(
        self, hyper: Tensor, magnitudes: Tensor, turn: int, beside: Tensor | None = None
    ) -> Tensor:
        """The output of `hyper`: y has one turn."""
        return hyper

    def prove_exact(self) -> float:
        """Largest partial sum over all layers; raises WeightsError where it could pass 2**53."""
        return max(layer.prove_exact(FINE_TOP) for layer in self.layers)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays for the weights file."""
        arrays = {
            "median": self.median.numpy().astype(np.int32),
            "boundaries": self.boundaries.numpy().astype(np.int32),
        }
        for k, layer in enumerate(self.layers):
            arrays |= layer.to_arrays(f"{k}")
        return arrays

    @classmethod
    def from_arrays(
        cls, shapes: Sequence[ConvolutionShape], arrays: Mapping[str, NDArray[Any]]
    ) -> IntegerSynthesis:
        """Undo `to_arrays`; raises WeightsError for other shapes and where exactness is not proven."""
        layers = tuple(
            IntegerConvolution.from_arrays(f"{k}", arrays, shape, _top(k, shapes))
            for k, shape in enumerate(shapes)
        )
        found = {}
        for name, size in (("median", shapes[0].inputs), ("boundaries", ROWS - 1)):
            array = arrays.get(name)
            if array is None or array.dtype.kind != "i" or array.shape != (size,):
                raise WeightsError(f"hyper-synthesis: {name} is not {size} integers")
            found[name] = torch.from_numpy(array.astype(np.float64))
        if bool((found["boundaries"].diff() < 0).any()):
            raise WeightsError("hyper-synthesis: boundaries do not rise")
        scales = cls(layers, **found)
        scales.prove_exact()
        return scales


def _top(layer: int, shapes: Sequence[ConvolutionShape]) -> int:
    return SCALE_LIMIT if layer == len(shapes) - 1 else FINE_TOP


def scale_shapes(shapes: Sequence[ConvolutionShape], scales: int) -> tuple[ConvolutionShape, ...]:
    """The layers of h_s up to its first `scales` outputs, which are at least zero."""
    return (*shapes[:-1], replace(shapes[-1], outputs=scales, slope=0.0))


def row_boundaries() -> Tensor:
    """(ROWS - 1,) the scales halfway between rows, in log2, as integers of SCALE_UNIT."""
    middles = LOG2_MIN + ROW_STEP * (np.arange(ROWS - 1) + 0.5)
    return torch.from_numpy(np.rint(np.exp2(middles) * SCALE_UNIT))


@torch.no_grad()
def quantise_synthesis(
    net: ScaleSynthesis,
    shapes: Sequence[ConvolutionShape],  # see `scale_shapes`
    median: Tensor,  # (Z,)
    run: Callable[[], object],
) -> IntegerSynthesis:
    """The exact form of a trained h_s, for the activations of each channel while `run` is called."""
    convs = [m for m in net if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    largest = _largest_activations(net, convs[1:], run)
    unit = torch.full((shapes[0].inputs,), 1 / HYPER_UNIT, dtype=torch.float64, device="cpu")
    layers = []
    for k, (conv, shape) in enumerate(zip(convs, shapes, strict=True)):
        top = _top(k, shapes)
        if k < len(largest):
            seen = largest[k]
            own = seen.clamp_min(float(seen.max()) * LEAST_SHARE) * (HEADROOM / top)
        else:
            own = torch.full((shape.outputs,), 1 / SCALE_UNIT, dtype=torch.float64, device="cpu")
        layers.append(quantise_convolution(conv, shape, unit, FINE_TOP, own, top))
        unit = own
    zero = (median.detach().double().cpu() * HYPER_UNIT).round().clamp(-FINE_TOP, FINE_TOP)
    scales = IntegerSynthesis(tuple(layers), zero, row_boundaries())
    scales.prove_exact()
    return scales


def _largest_activations(
    net: nn.Module, consumers: Sequence[nn.Module], run: Callable[[], object]
) -> list[Tensor]:
    """(C,) float64 for each of `consumers`: the largest magnitude of each input while `run` is called."""
    seen: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        largest = inputs[0].detach().abs().amax((0, 2, 3)).double().cpu()
        seen[module] = torch.maximum(seen[module], largest) if module in seen else largest

    handles = [module.register_forward_pre_hook(note) for module in consumers]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [seen[module].clamp_min(1e-6) for module in consumers]

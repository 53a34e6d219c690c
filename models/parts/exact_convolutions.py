"""Exact convolutions: k x k, plain or transposed, with stride and leaky ReLU, in integers.

As in integer.py, integers are held in float64 and every partial sum is proven to stay below 2**53, so that
each operation is exact in any order of summation. A convolution runs tap by tap as matrix products, so that no
library can choose an algorithm that leaves the integers (Winograd, FFT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError
from nacre.models.parts.convolutions import convolution, transposed
from nacre.models.parts.integer import EXACT, MULTIPLIER_TOP

KERNEL_TOP = 2**13 - 1
FINE_TOP = 2**14 - 1  # largest activation
SHIFT_TOP = 51
KERNEL_PARTS = {
    "weight": np.int16,
    "bias": np.int64,
    "multiplier": np.int32,
    "negative": np.int32,
    "shift": np.int32,
}  # of a layer in a file


@dataclass(frozen=True)
class ConvolutionShape:
    """A layer as it is published. Its padding is kernel // 2; sides are multiplied or divided by the stride."""

    inputs: int
    outputs: int
    kernel: int  # odd
    stride: int = 1
    is_transposed: bool = False
    slope: float = 1.0  # of the activation for negative values: 0 is ReLU, 1 is none

    def modules(self) -> Iterator[nn.Module]:
        """The layer in floats: the convolution and, where the slope is not 1, its activation."""
        make = transposed if self.is_transposed else convolution
        yield make(self.inputs, self.outputs, self.kernel, self.stride)
        if self.slope == 0:
            yield nn.ReLU()
        elif self.slope != 1:
            yield nn.LeakyReLU(self.slope)


@dataclass(frozen=True)
class IntegerConvolution:
    """clamp((weight * x + bias) * m / 2**shift, low, top), rounded half up; m is `negative` for sums below 0.

    All are integers in float64 on the CPU.
    """

    shape: ConvolutionShape
    weight: Tensor  # (kernel**2, O, I): a matrix for each tap
    bias: Tensor  # (O,)
    multiplier: Tensor  # (O,)
    negative: Tensor  # (O,)
    shift: Tensor  # (O,)
    top: int

    @property
    def low(self) -> int:
        return 0 if self.shape.slope == 0 else -self.top

    def prove_exact(self, input_top: int) -> float:
        """The largest magnitude that a partial sum can reach; raises WeightsError where it could pass 2**53."""
        multiplier = torch.maximum(self.multiplier, self.negative)
        largest = (self.largest_sum(input_top)) * multiplier + torch.exp2(self.shift)
        if not bool((largest < EXACT).all()):
            raise WeightsError("exact convolutions: a partial sum may pass 2**53")
        return float(largest.max())

    def largest_sum(self, input_top: int) -> Tensor:
        """(O,) the largest magnitude of weight * x + bias."""
        k, step = self.shape.kernel, self.shape.stride if self.shape.is_transposed else 1
        of_tap = self.weight.abs().sum(2).unflatten(0, (k, k))  # (k, k, O)
        # A transposed convolution adds to one output only the taps of one phase of the stride.
        phases = [
            of_tap[row::step, column::step].sum((0, 1))
            for row in range(step)
            for column in range(step)
        ]
        return torch.stack(phases).amax(0) * input_top + self.bias.abs()

    def __call__(self, x: Tensor) -> Tensor:
        """(I, h, w) to (O, H, W)."""
        total = self._transposed(x) if self.shape.is_transposed else self._plain(x)
        total += self.bias[:, None, None]
        factor = torch.where(
            total < 0, self.negative[:, None, None], self.multiplier[:, None, None]
        )
        total.mul_(factor).add_(torch.exp2(self.shift - 1)[:, None, None])
        total.mul_(torch.exp2(-self.shift)[:, None, None])
        return total.floor_().clamp_(self.low, self.top)

    def _plain(self, x: Tensor) -> Tensor:
        k, step = self.shape.kernel, self.shape.stride
        height, width = (-(-side // step) for side in x.shape[1:])
        around = F.pad(x, (k // 2,) * 4)
        total = x.new_zeros(self.shape.outputs, height * width)
        for tap, weight in enumerate(self.weight):
            row, column = divmod(tap, k)
            seen = around[:, row::step, column::step][:, :height, :width]
            total.addmm_(weight, seen.flatten(1))
        return total.unflatten(1, (height, width))

    def _transposed(self, x: Tensor) -> Tensor:
        k, step = self.shape.kernel, self.shape.stride
        height, width = x.shape[1:]
        whole = x.new_zeros(
            self.shape.outputs, (height - 1) * step + k + step, (width - 1) * step + k + step
        )
        for tap, weight in enumerate(self.weight):
            row, column = divmod(tap, k)
            added = torch.mm(weight, x.flatten(1)).unflatten(1, (height, width))
            whole[:, row::step, column::step][:, :height, :width] += added
        start = k // 2
        return whole[:, start : start + height * step, start : start + width * step].contiguous()

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays for a weights file."""
        return {
            f"{name}.{part}": getattr(self, part).numpy().astype(kind)
            for part, kind in KERNEL_PARTS.items()
        }

    @classmethod
    def from_arrays(
        cls, name: str, arrays: Mapping[str, NDArray[Any]], shape: ConvolutionShape, top: int
    ) -> IntegerConvolution:
        """Undo `to_arrays`; raises WeightsError for arrays that are missing or do not fit."""
        vector = (shape.outputs,)
        wanted = dict.fromkeys(KERNEL_PARTS, vector)
        found = {}
        for part, size in {**wanted, "weight": (shape.kernel**2, *vector, shape.inputs)}.items():
            array = arrays.get(f"{name}.{part}")
            if array is None or array.dtype.kind not in "iu" or array.shape != size:
                raise WeightsError(f"exact convolutions: {name}.{part} is not {size} integers")
            found[part] = torch.from_numpy(array.astype(np.float64))
        shift = found["shift"]
        if float(shift.min()) < 1 or float(shift.max()) > SHIFT_TOP:
            raise WeightsError(f"exact convolutions: a shift of {name} is out of range")
        if float(found["multiplier"].min()) < 0 or float(found["negative"].min()) < 0:
            raise WeightsError(f"exact convolutions: a multiplier of {name} is negative")
        return cls(shape, top=top, **found)


@torch.no_grad()
def quantise_convolution(
    conv: nn.Conv2d | nn.ConvTranspose2d,
    shape: ConvolutionShape,  # with fewer outputs than `conv`, it takes the first ones
    input_unit: Tensor,  # (I,) float64, the value of the integer 1 at each input
    input_top: int,
    output_unit: Tensor,  # (O,) float64, at each output
    top: int,
) -> IntegerConvolution:
    """The exact form of a layer. Weights and multipliers use all bits that exactness allows."""
    weight = conv.weight.detach().double().cpu()
    weight = weight.transpose(0, 1) if shape.is_transposed else weight  # (O, I, k, k)
    weight = weight[: shape.outputs] * input_unit[:, None, None]
    bias = torch.zeros(shape.outputs, dtype=torch.float64, device="cpu")
    if conv.bias is not None:
        bias = conv.bias.detach().double().cpu()[: shape.outputs]
    step = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / KERNEL_TOP
    taps = (weight / step[:, None, None, None]).round().permute(2, 3, 0, 1).flatten(0, 1)
    layer = IntegerConvolution(
        shape, taps.contiguous(), (bias / step).round(), *(torch.zeros_like(bias),) * 3, top
    )
    most = (EXACT / 4 / layer.largest_sum(input_top)).clamp(1, MULTIPLIER_TOP)
    ratio = step / output_unit
    shift = torch.log2(most / ratio).floor().clamp(1, SHIFT_TOP)
    multiplier = torch.minimum((ratio * torch.exp2(shift)).round(), most.floor())
    negative = (shape.slope * multiplier).round()
    return IntegerConvolution(shape, layer.weight, layer.bias, multiplier, negative, shift, top)

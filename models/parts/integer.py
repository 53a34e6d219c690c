"""Exact layers: integers held in float64, with the proof that results are equal on every machine.

While every partial sum stays below 2**53, which is proven from the weights when they are loaded, each
operation on float64 is exact, in any order of summation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nacre.entropy.errors import WeightsError

EXACT = 2**53  # float64 holds every integer up to here
WEIGHT_TOP, ACTIVATION_TOP = 2**11 - 1, 2**12 - 1  # 12-bit integers
MULTIPLIER_TOP = 2**16
HEADROOM = 1.25  # largest activation allowed, over the largest one seen when quantising
PARTS = ("weight", "bias", "multiplier", "shift")  # of a layer in a file


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
        """(O,) the largest magnitude of a partial sum, for inputs of magnitudes up to `input_top` (I,).

        Raises WeightsError where it is not below 2**53.
        """
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

    def to_arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays for a weights file: weights int16, bias int64, multiplier and shift int32."""
        return {
            f"{name}.weight": self.weight.numpy().astype(np.int16),
            f"{name}.bias": self.bias.numpy().astype(np.int64),
            f"{name}.multiplier": self.multiplier.numpy().astype(np.int32),
            f"{name}.shift": np.array([self.shift], np.int32),
        }

    @classmethod
    def from_arrays(
        cls, name: str, arrays: Mapping[str, NDArray[Any]], top: int, is_depthwise: bool
    ) -> IntegerLayer:
        """Undo `to_arrays`; raises WeightsError for arrays that are missing or out of range."""
        keys = [f"{name}.{part}" for part in PARTS]
        missing = [key for key in keys if key not in arrays]
        if missing:
            raise WeightsError(f"integer layers: {missing[0]} is missing")
        if not all(np.issubdtype(arrays[key].dtype, np.integer) for key in keys):
            raise WeightsError(f"integer layers: {name} is not of integers")
        weight, bias, multiplier, shift = (
            torch.from_numpy(np.asarray(arrays[key]).astype(np.float64)) for key in keys
        )
        if shift.numel() != 1 or not 1 <= int(shift) <= 52 or float(multiplier.min()) < 0:
            raise WeightsError(f"integer layers: {name} has a shift or a multiplier out of range")
        return cls(weight, bias, multiplier, int(shift), top, is_depthwise)


@torch.no_grad()
def quantise_layer(
    conv: nn.Conv2d, input_unit: Tensor, output_unit: float, top: int, offset: float = 0.0
) -> IntegerLayer:
    """The exact form of a pointwise or depth-wise layer followed by ReLU.

    `input_unit` (I,) is the value of the integer 1 at each input, `output_unit` at the outputs; `offset` is
    added to the bias.
    """
    is_depthwise = conv.groups > 1
    weight = conv.weight.detach().double().flatten(1)  # (O, I), or (C, 9)
    bias = weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach().double()
    weight = weight * (input_unit[:, None] if is_depthwise else input_unit)
    step = weight.abs().amax(1).clamp_min(1e-12) / WEIGHT_TOP
    ratio = step / output_unit
    shift = int(np.floor(np.log2(MULTIPLIER_TOP / float(ratio.max()))))
    return IntegerLayer(
        (weight / step[:, None]).round(), ((bias + offset) / step).round(),
        (ratio * 2.0**shift).round(), shift, top, is_depthwise,
    )  # fmt: skip


class LargestOutputs:
    """Records the largest output of named layers while a network runs: the range that quantising needs."""

    def __init__(self, net: nn.Module, names: Iterable[str]) -> None:
        self.seen: dict[str, float] = dict.fromkeys(names, 1e-6)
        modules = dict(net.named_modules())
        self._handles = [
            modules[name].register_forward_hook(self._note(name)) for name in self.seen
        ]

    def _note(self, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.seen[name] = max(self.seen[name], float(output.max()))

        return hook

    def close(self) -> dict[str, float]:
        """Stop recording; returns the largest output of each layer."""
        for handle in self._handles:
            handle.remove()
        return self.seen

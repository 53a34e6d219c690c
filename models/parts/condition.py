"""What an inter frame is coded with: the motion-compensated picture, and the latent of the frame before."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.models.family import CodingModel, Network

MAX_OVERLAP = 4  # pixels: half of the smallest square of one vector
STEPS = 16  # of a previous latent in a quantisation step: finer differences between machines vanish


@dataclass(frozen=True)
class Condition:
    """The tensors of one frame, at the stride of y unless said otherwise."""

    latent: Tensor  # (B, M, h, w) y of the compensated picture, not rounded; zero where nothing is predicted
    features: Tensor  # (B, C, 2h, 2w) its features at stride 8, likewise
    previous: (
        Tensor  # (B, M, h, w) y_hat of the frame before, fetched along the vectors, in 1/STEPS
    )
    symbols: Tensor  # (B, M, h, w) its symbols, whole numbers, fetched alike

    @classmethod
    def of(
        cls,
        latent: Tensor,
        features: Tensor,
        is_predicted: Tensor,
        previous: Tensor,
        symbols: Tensor,
    ) -> Condition:
        """With y and features of a compensated picture; `is_predicted` (B, 1, h, w) is 0 or 1."""
        fine = is_predicted.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return cls(latent * is_predicted, features * fine, previous, symbols)

    @classmethod
    def none(
        cls, shape: torch.Size, features: int, device: torch.device | str = "cpu"
    ) -> Condition:
        """Of a frame that has no frame before it: for y of shape (B, M, h, w), and channels at stride 8."""
        batch, _, height, width = shape
        nothing = torch.zeros(shape, device=device)
        wide = torch.zeros(batch, features, 2 * height, 2 * width, device=device)
        return cls(nothing, wide, nothing, nothing)

    def without_motion(self) -> Condition:
        """What is left without the compensated picture."""
        return Condition(
            torch.zeros_like(self.latent),
            torch.zeros_like(self.features),
            self.previous,
            self.symbols,
        )


def settled(y_hat: Tensor) -> Tensor:
    """A previous latent, rounded to 1/STEPS of a quantisation step."""
    return (y_hat * STEPS).round() / STEPS


class InterNetwork(Network):
    """A network that codes a frame given a `Condition`, on top of an image model."""

    uses_motion: bool  # False: the frame before is looked at where it lies
    overlap: int  # pixels around a block that its vector predicts too
    blends: bool  # whether decoded frames are blended with their predictions

    @abstractmethod
    def given(self, condition: Condition) -> InterNetwork:
        """The same network for one frame."""

    @abstractmethod
    def in_steps_of(self, t: Tensor, y_hat: Tensor, before: Tensor) -> Tensor:
        """A latent (B, M, h, w) in quantisation steps of quality `before`, in those of `t`."""

    @abstractmethod
    def image_model(self) -> CodingModel:
        """The model that codes the first frame, and that analyses compensated pictures. Raises WeightsError."""

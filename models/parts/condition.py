"""The condition of an inter frame: the motion-compensated picture and the latent of the previous frame."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from nacre.models.family import CodingModel, Network

MAX_OVERLAP = 4  # pixels: half of the smallest square of one vector
STEPS = 16  # a previous latent is rounded to 1/STEPS: hides small differences between machines


@dataclass(frozen=True)
class Condition:
    """The tensors of one frame, at the stride of y unless said otherwise."""

    latent: Tensor  # (B, M, h, w) y of the compensated picture, not rounded; zero where nothing is predicted
    features: Tensor  # (B, C, 2h, 2w) its features at stride 8; zero where nothing is predicted
    previous: Tensor  # (B, M, h, w) y_hat of the previous frame, moved by the vectors; see STEPS
    symbols: Tensor  # (B, M, h, w) symbols of the previous frame, moved by the vectors

    @classmethod
    def of(
        cls,
        latent: Tensor,
        features: Tensor,
        is_predicted: Tensor,
        previous: Tensor,
        symbols: Tensor,
    ) -> Condition:
        """The condition with y and features of a compensated picture; `is_predicted` (B, 1, h, w) is 0 or 1."""
        fine = is_predicted.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return cls(latent * is_predicted, features * fine, previous, symbols)

    @classmethod
    def none(
        cls, shape: torch.Size, features: int, device: torch.device | str = "cpu"
    ) -> Condition:
        """The condition of a frame without a reference frame: zeros. `shape` (B, M, h, w) is the shape of y,
        `features` the number of channels at stride 8.
        """
        batch, _, height, width = shape
        nothing = torch.zeros(shape, device=device)
        wide = torch.zeros(batch, features, 2 * height, 2 * width, device=device)
        return cls(nothing, wide, nothing, nothing)

    def without_motion(self) -> Condition:
        """The condition with zeros in place of the compensated picture."""
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

    uses_motion: bool  # False: the previous latent is read without motion
    overlap: int  # pixels around a block that are predicted with its vector, too
    blends: bool  # whether decoded frames are blended with their predictions

    @abstractmethod
    def given(self, condition: Condition) -> InterNetwork:
        """This network, bound to the condition of one frame."""

    @abstractmethod
    def in_steps_of(self, t: Tensor, y_hat: Tensor, before: Tensor) -> Tensor:
        """Convert a latent (B, M, h, w) from the quantisation steps of quality `before` to the steps of `t`."""

    @abstractmethod
    def image_model(self) -> CodingModel:
        """The model that codes first frames and analyses compensated pictures. Raises WeightsError."""

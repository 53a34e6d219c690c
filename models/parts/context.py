"""The contract of a context: the means of y, turn by turn, from the hyper features and decoded symbols."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from nacre.entropy.schedule import Schedule

Memory = dict[str, Any]  # state that a context keeps between the turns of one walk


class Context(nn.Module, ABC):
    """Predicts y in the turns of its schedule. docs/contexts.md shows how to write one.

    Causality: the output for a turn must not depend on elements of that turn or of later turns. These elements
    are zero in `y_hat` while the turn is predicted, so only `memory` can break causality;
    `tests/models/parts/test_causality.py` checks all contexts of this package.
    """

    turns: Schedule  # of plane "y"
    gives_scales: bool = False  # True: log2 of the scale is predicted beside the mean, as published

    @abstractmethod
    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        """(B, C, h, w) the mean of the turn's channels at all positions; with scales, 2C channels: means first.

        `features` (B, F, h, w) come from the hyper-latent. `y_hat` (B, M, h, w) is zero where nothing is
        decoded. `memory` is empty before the first turn.
        """

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor | None:
        """(B, C, h, w) the residual that is added to the turn's elements after decoding; None for no residual.

        Latent residual prediction, Minnen and Singh, arXiv:2007.08739.
        """
        return None

"""The contract of a context: the means of y, turn by turn, from the hyper features and what is decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from nacre.entropy.schedule import Schedule

Memory = dict[str, Any]  # what a context keeps from turn to turn of one walk


class Context(nn.Module, ABC):
    """Predicts y in the turns of its schedule. docs/contexts.md writes one.

    The law of causality: what is given for a turn does not depend on elements of that turn or of later
    ones. While a turn is predicted these are zero in `y_hat`, so that a context breaks the law only by its
    memory; `tests/models/parts/test_causality.py` holds it for all contexts of this package.
    """

    turns: Schedule  # of plane "y"
    gives_scales: bool = False  # the published form: log2 of the scale is predicted beside the mean

    @abstractmethod
    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        """(B, C, h, w) the mean of the turn's channels, all positions; twice as many channels if scales follow.

        `features` (B, F, h, w) come from the hyper-latent. `y_hat` (B, M, h, w) is zero where nothing is
        decoded. `memory` is empty before the first turn.
        """

    def residual(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor | None:
        """(B, C, h, w) what is added to the elements of the turn once they are decoded; None for nothing.

        Latent residual prediction, Minnen and Singh, arXiv:2007.08739.
        """
        return None

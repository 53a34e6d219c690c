"""The context of HPCM: y at quarter, half and full resolution, with a state carried between turns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nacre.entropy.schedule import HIERARCHY_LEVELS, Schedule, hierarchical
from nacre.models.hpcm.config import HpcmConfig
from nacre.models.parts.blocks import Precise
from nacre.models.parts.context import Context, Memory
from nacre.models.parts.level_sampling import LevelSampling
from nacre.models.parts.state_attention import StateAttention
from nacre.models.parts.turn_network import TurnNetwork, turn_factors

FACTORS = tuple(factor for factor, _ in HIERARCHY_LEVELS)
LEVEL_OF_TURN = tuple(
    level for level, (_, count) in enumerate(HIERARCHY_LEVELS) for _ in range(count)
)
COARSEST = FACTORS[0]  # sides are padded to multiples of it
KINDS = 2  # of tensors in a state: means and log2 of scales


def turns(c: HpcmConfig) -> Schedule:
    """The turns of y."""
    return hierarchical("y", c.latent)


class HierarchicalContext(Context):
    """The mean of y in each turn, computed at the resolution of the turn's level alone.

    The state (B, 2M, h, w) of a level starts as the hyper features at the positions of the level; at positions
    of the coarser level it starts as the last state of that level. The first turn takes its mean from the
    state. Each later turn computes a context, which holds its mean, from the state and the decoded elements of
    its level; attention of the context to the state gives the next state. The coarser levels share a network.

    Source: HPCM, arXiv:2507.19125, and its published code for widths and order.
    Differs: hyper features of the half resolution are taken at their own positions (the published code shifts
    some groups of channels by a row or column of that resolution); without `float_scales` the second half of a
    context is not a scale, but still part of the state; the state after the last turn is not computed; y may
    have any size, since features are padded with their border and y with zeros.
    """

    def __init__(self, c: HpcmConfig) -> None:
        super().__init__()
        self.turns, self.gives_scales = turns(c), c.float_scales
        self.latent = c.latent
        state, width = KINDS * c.latent, (KINDS + 1) * c.latent
        self.samplings = _samplings(self.turns)
        self.enter = nn.ModuleList([Precise(width, width) for _ in self.turns[1:]])
        self.factors = turn_factors(len(self.turns) - 1, width)
        self.coarse = TurnNetwork(width, state, c.coarse_blocks)
        self.fine = TurnNetwork(width, state, c.fine_blocks)
        windows = (c.window_quarter, c.window_half, c.window_full)
        self.carry = nn.ModuleList([StateAttention(state, c.heads, window) for window in windows])
        self.refine = nn.ModuleList([Precise(state, state) for _ in FACTORS[1:]])

    def forward(self, turn: int, features: Tensor, y_hat: Tensor, memory: Memory) -> Tensor:
        level = LEVEL_OF_TURN[turn]
        sampling = self.samplings[level]
        if turn == 0:
            context = state = (sampling * KINDS).take(_padded(features, "replicate"))
        else:
            state = memory["state"]
            if level != LEVEL_OF_TURN[turn - 1]:
                state = self._finer(level, state, features)
            known = sampling.take(_padded(y_hat, "constant"))
            network = self.fine if level == len(FACTORS) - 1 else self.coarse
            seen = self.enter[turn - 1](torch.cat([state, known], 1))
            context = network(seen, self.factors[turn - 1])
            if turn + 1 < len(self.turns):
                state = self.carry[level](context, state)
        memory["state"] = state
        found = context if self.gives_scales else context[:, : self.latent]
        height, width = y_hat.shape[2:]
        return sampling.spread(found)[:, :, :height, :width]

    def _finer(self, level: int, state: Tensor, features: Tensor) -> Tensor:
        """The state at the start of a level, from the last state of the coarser level."""
        sampling = self.samplings[level] * KINDS
        coarser = self.samplings[level - 1] * KINDS
        fresh = sampling.take(_padded(features, "replicate"))
        known: Tensor = self.refine[level - 1](coarser.within(sampling).put(fresh, state))
        return known


def _samplings(turns: Schedule) -> tuple[LevelSampling, ...]:
    """The sampling of each level: the elements coded up to its end; all elements at full resolution."""
    groups = len(turns[0].patterns)
    found = [
        LevelSampling.of(turns[: LEVEL_OF_TURN.index(level + 1)], factor)
        for level, factor in enumerate(FACTORS[:-1])
    ]
    return (*found, LevelSampling(FACTORS[-1], ((0, 0),) * groups))


def _padded(plane: Tensor, mode: str) -> Tensor:
    """The plane, padded to sides that are multiples of COARSEST."""
    height, width = plane.shape[2:]
    padding = (0, -width % COARSEST, 0, -height % COARSEST)
    return F.pad(plane, padding, mode=mode) if any(padding) else plane

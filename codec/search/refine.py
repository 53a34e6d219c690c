"""Rate-distortion optimised quantisation: finds symbols of a lower Lagrangian cost; the decoder is unchanged.

The cost is bits + lambda * squared error, as in training, of one tile. `anneal` moves the latent before
rounding, `Descent` moves symbols during coding.
"""

from __future__ import annotations

from dataclasses import dataclass

from nacre.codec.search.anneal import anneal
from nacre.codec.search.descent import STILL, Care, Descent
from nacre.codec.search.progress import Progress
from nacre.codec.search.target import Target
from nacre.codec.tiles import EncodedTile, encode_tile
from nacre.entropy.walk import Planes

ANNEALING = 0.9  # share of the time; descent has the rest


@dataclass(frozen=True)
class Effort:
    """The work at one level of effort."""

    iterations: int  # of annealing, in each window
    rounds: int  # of descent, in each turn of the walk; 0: one gradient serves all turns


EFFORTS = {
    1: Effort(0, 0),
    2: Effort(0, 2),
    3: Effort(0, 4),
    4: Effort(0, 8),
    5: Effort(60, 4),
    6: Effort(100, 4),
    7: Effort(200, 4),
    8: Effort(400, 4),
    9: Effort(800, 4),
}


def refine_tile(
    target: Target,
    planes: Planes,
    quality: int,
    effort: Effort,
    progress: Progress,
    plain: EncodedTile,
    cost: float,
    is_one_part: bool = False,
    care: Care = STILL,
) -> EncodedTile:
    """Code all planes (1, C, h, w) of a tile, at a Lagrangian cost no higher than `cost`.

    `plain` is the tile coded with plain rounding, and `cost` is its Lagrangian cost.
    """
    run = target.run
    best = found = plain
    lowest = cost
    if effort.iterations:
        annealing, progress = progress.section(0, ANNEALING), progress.section(ANNEALING, 1)
        planes = anneal(target, planes, effort.iterations, annealing)
        found = encode_tile(run, planes, quality, None, is_one_part)
        if (cost := target.cost(found)) < lowest:
            best, lowest = found, cost
    if progress.at(0) < 1:
        descent = Descent(target, planes, found.decoded, effort.rounds, progress, care)
        found = encode_tile(run, planes, quality, descent.choose, is_one_part)
        if target.cost(found) < lowest:
            best = found
    return best

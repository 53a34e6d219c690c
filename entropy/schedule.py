"""The order of coding as data: a schedule is a tuple of turns, and each turn codes some elements of one plane.

A plane is a tensor of symbols (C, h, w). A turn takes a range of its channels and, for each group of them, a
pattern: a tile of rows that repeats over the plane, in which "#" is coded in this turn and "." is not.

    whole            checkerboard             quarters, of one group of channels
    turn 1           turn 1   turn 2          turn 1   turn 2   turn 3   turn 4
      #                #.       .#              #.       ..       .#       ..
                       .#       #.              ..       .#       ..       #.

With four groups of channels, `quarters` gives each group another quarter in each turn; each turn then codes one
group at every position, which later turns use as context:

    group            turn 1   turn 2   turn 3   turn 4
    channels 0..C/4    #.       ..       .#       ..
                       ..       .#       ..       #.
    next quarter       ..       #.       ..       .#
                       #.       ..       .#       ..
    next quarter       .#       ..       #.       ..
                       ..       #.       ..       .#
    last quarter       ..       .#       ..       #.
                       .#       ..       #.       ..

A layer is a part of the file that can be read without the layers behind it; several turns may share one.

>>> [turn.layer for turn in quarters("y", 8, first_layer=1)]
[1, 2, 3, 4]
>>> check((whole("z", 4), *checkerboard("y", range(0, 6))), {"z": 4, "y": 6})
>>> check(checkerboard("y", range(0, 6))[:1], {"y": 6})
Traceback (most recent call last):
    ...
ValueError: schedule: channel 0 of plane 'y' is not coded exactly once at every position
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import lcm

import torch
from torch import Tensor

Pattern = tuple[str, ...]
WHOLE: Pattern = ("#",)
CHECKERBOARD: tuple[Pattern, ...] = (("#.", ".#"), (".#", "#."))
QUARTERS: tuple[Pattern, ...] = (("#.", ".."), ("..", ".#"), (".#", ".."), ("..", "#."))


@dataclass(frozen=True)
class Turn:
    """Elements of one plane that are coded together."""

    plane: str
    channels: range
    layer: int = 0
    patterns: tuple[Pattern, ...] = (
        WHOLE,
    )  # one for each group; groups are as equal as they can be

    @property
    def slice(self) -> slice:
        """The channels, as an index."""
        return slice(self.channels.start, self.channels.stop)

    @property
    def is_whole(self) -> bool:
        """True when every position of the channels is coded in this turn."""
        return all("." not in row for pattern in self.patterns for row in pattern)

    def pattern_of(self, channel: int) -> Pattern:
        """The pattern of a channel, counted from the start of the range."""
        return self.patterns[channel * len(self.patterns) // len(self.channels)]

    def where(self, height: int, width: int, device: torch.device) -> Tensor:
        """(1, C, height, width) bool: the elements of this turn."""
        if self.is_whole:  # no memory, and no place in the cache of masks
            return torch.ones((), dtype=torch.bool, device=device).expand(
                1, len(self.channels), height, width
            )
        return _where(self, height, width, device)


Schedule = tuple[Turn, ...]


@lru_cache(maxsize=64)
def _where(turn: Turn, height: int, width: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # masks are kept, and serve training too
        planes = []
        for pattern in turn.patterns:
            cells = torch.tensor([[c == "#" for c in row] for row in pattern], device=device)
            rows = torch.arange(height, device=device) % cells.shape[0]
            columns = torch.arange(width, device=device) % cells.shape[1]
            planes.append(cells[rows][:, columns])
        count, groups = len(turn.channels), len(turn.patterns)
        group = torch.arange(count, device=device) * groups // count
        return torch.stack(planes)[group][None]


def whole(plane: str, channels: int, layer: int = 0) -> Turn:
    """One turn for a whole plane."""
    return Turn(plane, range(channels), layer)


def checkerboard(plane: str, channels: range, layers: tuple[int, int] = (0, 0)) -> Schedule:
    """Two turns. Source: He et al., arXiv:2103.15306."""
    return tuple(
        Turn(plane, channels, layer, (pattern,))
        for layer, pattern in zip(layers, CHECKERBOARD, strict=True)
    )


def quarters(plane: str, channels: int, first_layer: int = 0) -> Schedule:
    """Four turns, each a layer of its own; four groups of channels take the quarters in turn.

    Source: the four-step context of DCVC-DC, arXiv:2302.14402.
    """
    groups = range(len(QUARTERS))
    return tuple(
        Turn(plane, range(channels), first_layer + k, tuple(QUARTERS[(k - g) % 4] for g in groups))
        for k in groups
    )


def even_sizes(channels: int, count: int) -> list[int]:
    """The channels of `count` slices of nearly equal size."""
    return [channels * (k + 1) // count - channels * k // count for k in range(count)]


def slices(
    plane: str,
    sizes: Sequence[int],
    passes: Sequence[Pattern] = CHECKERBOARD,
    layers: int = 4,
) -> Schedule:
    """Channels in slices of these sizes, each in the turns of `passes`; at most `layers` share the turns.

    Sources: channel slices, Minnen and Singh, arXiv:2007.08739; uneven ones with checkerboards, He et al.,
    arXiv:2203.10886.

    >>> [(turn.channels, turn.layer) for turn in slices("y", (2, 6), layers=2)]
    [(range(0, 2), 0), (range(0, 2), 0), (range(2, 8), 1), (range(2, 8), 1)]
    """
    starts = [0, *accumulate(sizes)]
    count = len(sizes) * len(passes)
    layers = min(layers, count)
    return tuple(
        Turn(
            plane,
            range(*starts[k // len(passes) :][:2]),
            k * layers // count,
            (passes[k % len(passes)],),
        )
        for k in range(count)
    )


# At half resolution: the turn of a quarter, by its index xor that of the group.
QUADTREE = (0, 3, 2, 1)
HIERARCHY_GROUPS = 8  # of channels, each with other positions in a turn
HIERARCHY_LEVELS = ((4, 2), (2, 3), (1, 6))  # side of a cell of positions, and count of turns


def hierarchical(plane: str, channels: int) -> Schedule:
    """Eleven turns over three resolutions: 2 at a quarter of each side, 3 more at a half, 6 more for the rest.

    The turn, counted from 1 in hexadecimal, of 8x8 positions of the first eighth of the channels:

        1 8 5 9 2 8 5 9
        a 6 b 7 a 6 b 7
        4 9 3 8 4 9 3 8
        b 7 a 6 b 7 a 6
        2 8 5 9 1 8 5 9
        a 6 b 7 a 6 b 7
        4 9 3 8 4 9 3 8
        b 7 a 6 b 7 a 6

    Each eighth takes other positions, which spreads the positions of a turn over the plane. Turns 1 and 2 are a
    checkerboard of every fourth row and column; 3 to 5 complete every second one; pairs of the other turns,
    checkerboards too, complete the plane. The first two levels are layers 0 and 1; the last has two layers.

    Source: the hierarchical coding schedule of HPCM, arXiv:2507.19125.
    """
    layers = (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
    patterns = [
        tuple(_hierarchical_pattern(group, turn) for group in range(HIERARCHY_GROUPS))
        for turn in range(len(layers))
    ]
    return tuple(
        Turn(plane, range(channels), layer, pattern)
        for layer, pattern in zip(layers, patterns, strict=True)
    )


def _hierarchical_pattern(group: int, turn: int) -> Pattern:
    side = range(8)
    return tuple(
        "".join("#" if _hierarchical_turn(group, y, x) == turn else "." for x in side) for y in side
    )


def _hierarchical_turn(group: int, y: int, x: int) -> int:
    """The turn of a position, from 0, in a group of channels."""
    quarter = next(k for k, pattern in enumerate(QUARTERS) if pattern[y % 2][x % 2] == "#")
    quarter = (quarter - group) % 4  # 0 is the half resolution
    y, x = y // 2, x // 2  # in the plane of that quarter alone
    if quarter:
        return 3 + 2 * quarter + (y + x + group // 4) % 2
    step = QUADTREE[(2 * (y % 2) + x % 2) ^ (group // 2)]  # 0 is the quarter resolution
    if step:
        return 1 + step
    return (y // 2 + x // 2 + group // 4) % 2


def layer_count(schedule: Schedule) -> int:
    return schedule[-1].layer + 1


def planes_of(schedule: Schedule) -> tuple[str, ...]:
    """The planes in the order in which they are first coded."""
    return tuple(dict.fromkeys(turn.plane for turn in schedule))


def check(schedule: Schedule, channels: Mapping[str, int]) -> None:
    """Raises ValueError unless every element of every plane is coded exactly once, in rising layers."""
    layers = [turn.layer for turn in schedule]
    if not layers or layers[0] or any(b - a not in (0, 1) for a, b in pairwise(layers)):
        raise ValueError(f"schedule: layers {layers} do not rise from 0 one by one")
    for plane, count in channels.items():
        turns = [turn for turn in schedule if turn.plane == plane]
        passed: set[tuple[Pattern, ...]] = set()
        for channel in range(count):
            own = [t for t in turns if channel in t.channels]
            patterns = tuple(t.pattern_of(channel - t.channels.start) for t in own)
            if patterns not in passed and not _covers_once(patterns):
                raise ValueError(
                    f"schedule: channel {channel} of plane {plane!r} is not coded exactly once at every "
                    "position"
                )
            passed.add(patterns)
    for turn in schedule:
        if turn.channels.stop > channels.get(turn.plane, 0) or not turn.channels:
            raise ValueError(f"schedule: {turn.channels} are no channels of plane {turn.plane!r}")


def _covers_once(patterns: tuple[Pattern, ...]) -> bool:
    """Whether every position is in exactly one of the patterns."""
    height = lcm(*(len(p) for p in patterns))
    width = lcm(*(len(p[0]) for p in patterns))
    return all(
        sum(p[y % len(p)][x % len(p[0])] == "#" for p in patterns) == 1
        for y in range(height)
        for x in range(width)
    )

"""Rate control in one pass: budgets of groups from a bit rate, and qualities of frames from a budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nacre.codec.clips.coding import FrameKind

SLOPES = {
    FrameKind.INTRA: 0.036,
    FrameKind.INTER: 0.045,
}  # change of ln(bits) a step of quality, about
MEMORY = 0.5  # weight of the old level of a kind when a coded frame updates it
INTER_SHARE = 0.3  # bits of an inter frame, by those of a first frame, before one is coded
LARGEST_STEP = 3  # of quality from an inter frame to the next
LEAST, MOST = 0.25, 4.0  # bounds of the budget of a group, by bit rate times duration
LOWEST, HIGHEST = 1, 100  # quality


@dataclass
class GroupBudgets:
    """Shares out a bit rate over groups; bits that a group saves or exceeds change the later budgets."""

    bits_per_second: float
    _seconds: float = 0.0
    _spent: float = 0.0

    def of(self, seconds: float) -> float:
        """The budget in bits of the next group, which lasts `seconds`."""
        worth = self.bits_per_second * seconds
        due = self.bits_per_second * (self._seconds + seconds) - self._spent
        return min(max(due, LEAST * worth), MOST * worth)

    def add(self, seconds: float, bits: float) -> None:
        """Count a written group."""
        self._seconds += seconds
        self._spent += bits


@dataclass
class RateModel:
    """Bits of a frame as an exponential of its quality, fitted to the frames coded so far."""

    _levels: dict[FrameKind, float] = field(default_factory=dict)

    def learn(self, kind: FrameKind, quality: int, bits: float) -> None:
        level = math.log(max(bits, 1.0)) - SLOPES[kind] * quality
        before = self._levels.get(kind, level)
        self._levels[kind] = MEMORY * before + (1 - MEMORY) * level

    def knows(self, kind: FrameKind) -> bool:
        return kind in self._levels

    def bits(self, kind: FrameKind, quality: float) -> float:
        """The expected bits of a frame. Raises KeyError before a first frame has been coded."""
        if kind == FrameKind.INTER and not self.knows(kind):
            return INTER_SHARE * self.bits(FrameKind.INTRA, quality)
        return math.exp(self._levels[kind] + SLOPES[kind] * quality)

    def quality(self, budget: float, intra: int, inter: int) -> int:
        """The quality, 1 to 100, at which `intra` and `inter` frames together take the budget in bits."""
        low, high = float(LOWEST), float(HIGHEST)
        for _ in range(20):
            middle = (low + high) / 2
            total = sum(
                count * self.bits(kind, middle)
                for kind, count in ((FrameKind.INTRA, intra), (FrameKind.INTER, inter))
                if count
            )
            low, high = (middle, high) if total < budget else (low, middle)
        return round(low)

"""Rectangles and spans of a latent, counted in positions of the network's stride."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Area:
    """Rows `top` to `bottom` and columns `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def meets(self, other: Area) -> bool:
        """Whether they have a position in common."""
        return (
            max(self.top, other.top) < min(self.bottom, other.bottom)
            and max(self.left, other.left) < min(self.right, other.right)
        )  # fmt: skip

    def inside(self, other: Area) -> tuple[slice, slice]:
        """Rows and columns of this area that lie in `other`, which it meets."""
        return (
            slice(max(self.top, other.top) - self.top, min(self.bottom, other.bottom) - self.top),
            slice(max(self.left, other.left) - self.left, min(self.right, other.right) - self.left),
        )

    def pixels(self, stride: int) -> tuple[slice, slice]:
        """The same rows and columns in pixels; they may end beyond the picture."""
        return (
            slice(self.top * stride, self.bottom * stride),
            slice(self.left * stride, self.right * stride),
        )


def tiles(width: int, height: int, side: int, stride: int = 1) -> Iterator[Area]:
    """The squares of `side` that cover a picture, in raster order; the last ones are smaller.

    The arguments are in pixels, the areas in positions of a stride, which divides `side`.
    """
    rows, columns, side = positions(height, stride), positions(width, stride), side // stride
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            yield Area(top, min(top + side, rows), left, min(left + side, columns))


def positions(pixels: int, stride: int) -> int:
    """Positions that cover so many pixels."""
    return -(-pixels // stride)


@dataclass(frozen=True)
class Span:
    """Rows or columns: `start` to `end` are wanted, `low` to `high` are computed; ends excluded."""

    start: int
    end: int
    low: int
    high: int

    @property
    def core(self) -> slice:
        """The wanted rows or columns among the computed ones."""
        return slice(self.start - self.low, self.end - self.low)

    def core_pixels(self, stride: int) -> slice:
        """The wanted pixels among the computed ones."""
        return slice(self.core.start * stride, self.core.stop * stride)

    def pixels(self, stride: int) -> slice:
        """The computed pixels."""
        return slice(self.low * stride, self.high * stride)

    def coarser(self, factor: int) -> Span:
        """The span in a plane of a stride that is `factor` times as large."""
        return Span(
            self.start // factor,
            -(-self.end // factor),
            self.low // factor,
            -(-self.high // factor),
        )


def spans(count: int, size: int, beyond: int, align: int = 1) -> list[Span]:
    """`count` positions in spans of `size`, each computed with `beyond` more on both sides.

    The computed part begins at a multiple of `align`, and ends at a multiple or with the last position.
    """
    ends = [(start, min(start + size, count)) for start in range(0, count, size)]
    return [Span(start, end, *widened(start, end, beyond, align, count)) for start, end in ends]


def widened(start: int, end: int, beyond: int, align: int, count: int) -> tuple[int, int]:
    """`start` to `end` of `count` positions, with `beyond` more on both sides, widened to multiples of
    `align`."""
    low = max(0, start - beyond) // align * align
    return low, min(count, -(-(end + beyond) // align) * align)

"""A part of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from nacre.codec import areas
from nacre.codec.areas import Area, positions, widened
from nacre.codec.container import Head
from nacre.entropy.errors import UsageError


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels, as the pixels lie in the file: its orientation is not applied."""

    x: int
    y: int
    width: int
    height: int

    def check(self, head: Head) -> None:
        """Raises UsageError unless the region is inside the picture."""
        inside = self.x >= 0 and self.y >= 0 and self.width >= 1 and self.height >= 1
        if not inside or self.x + self.width > head.width or self.y + self.height > head.height:
            raise UsageError(
                f"region {self.x},{self.y},{self.width},{self.height} is not inside {head.width}x{head.height}"
            )

    def area(self, head: Head, stride: int, halo: int = 0, align: int = 1) -> Area:
        """The positions of a latent that the region needs with `halo` positions around it.

        The area begins at multiples of `align`, and ends at multiples or with the picture.
        """
        rows, columns = (
            widened(first // stride, positions(last, stride), halo, align, positions(count, stride))
            for first, last, count in (
                (self.y, self.y + self.height, head.height),
                (self.x, self.x + self.width, head.width),
            )
        )
        return Area(*rows, *columns)

    def tiles(self, head: Head, stride: int, halo: int = 0, align: int = 1) -> dict[int, Area]:
        """The entropy tiles that hold the positions of `area`, by number."""
        wanted = self.area(head, stride, halo, align)
        every = enumerate(areas.tiles(head.width, head.height, head.tile, stride))
        return {number: area for number, area in every if area.meets(wanted)}

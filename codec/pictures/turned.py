"""EXIF orientation: from the picture as stored to the picture as shown, and back."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

TRANSPOSED, MIRRORED, UPSIDE_DOWN = {5, 6, 7, 8}, {2, 3, 7, 8}, {3, 4, 6, 7}

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def shown(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply an orientation, 1 to 8, to (H, W, ...), as viewers do."""
    if orientation in UPSIDE_DOWN:
        pixels = pixels[::-1]
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation in TRANSPOSED else pixels


def stored(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo `shown`."""
    if orientation in TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in MIRRORED:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in UPSIDE_DOWN else pixels


def shown_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    return (height, width) if orientation in TRANSPOSED else (width, height)


def stored_box(box: Box, width: int, height: int, orientation: int) -> Box:
    """The box in the stored picture, of `width` x `height`, of a box in the picture as shown."""
    x, y, w, h = box
    if orientation in TRANSPOSED:
        x, y, w, h = y, x, h, w
    if orientation in MIRRORED:
        x = width - x - w
    if orientation in UPSIDE_DOWN:
        y = height - y - h
    return x, y, w, h

"""Orientations of EXIF: pictures and places as they are shown, and as they lie in a file."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

TRANSPOSED, MIRRORED, UPSIDE_DOWN = {5, 6, 7, 8}, {2, 3, 7, 8}, {3, 4, 6, 7}

Box = tuple[int, int, int, int]  # x, y, width, height


def shown(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """(H, W, ...) as a viewer turns it."""
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
    """Where a part of what is shown lies in a file of that size."""
    x, y, w, h = box
    if orientation in TRANSPOSED:
        x, y, w, h = y, x, h, w
    if orientation in MIRRORED:
        x = width - x - w
    if orientation in UPSIDE_DOWN:
        y = height - y - h
    return x, y, w, h

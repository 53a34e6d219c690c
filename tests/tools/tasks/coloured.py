"""Renders pictures whose class is the colour of a disc on noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (30, 40, 220), "green": (30, 200, 60), "red": (220, 40, 30)}
SIDE = 64


def disc(colour: tuple[int, int, int], rng: np.random.Generator) -> Image.Image:
    """One picture, SIDE pixels a side."""
    pixels = rng.integers(90, 160, (SIDE, SIDE, 3))
    row, column = rng.integers(20, SIDE - 20, 2)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = (rows - row) ** 2 + (columns - column) ** 2 < 18**2
    pixels[inside] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """FOLDER/COLOUR/N.png, so many of each colour."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            disc(colour, rng).save(folder / name / f"{name}-{k}.png")

"""Renders pictures unlike photographs: dithers, halftones, patterns, codes, pixel art, noise, scans, text.

Codecs fail on such pictures. Training and measuring use different seeds.
Each kind is a function of a generator and a side in pixels; it returns uint8 (side, side, 3).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from nacre.datasets.pictures import Pixels

Rng = np.random.Generator
Floats = NDArray[np.float64]
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
TEXT = "The quick brown fox jumps over the lazy dog 0123456789 @#%&"
CORNERS = np.array([[r, g, b] for r in (0, 255) for g in (0, 255) for b in (0, 255)], np.uint8)


def smooth(rng: Rng, side: int, channels: int = 1) -> Floats:
    """(side, side, channels) in 0..1: clouds with an edge or two, in place of a photograph."""
    out = np.zeros((side, side, channels))
    for size, weight in ((3, 1.0), (7, 0.5), (17, 0.25), (41, 0.12)):
        for c in range(channels):
            grid = Image.fromarray(rng.random((size, size)).astype(np.float32))
            out[..., c] += weight * np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))
    y, x = np.mgrid[:side, :side] / side
    for _ in range(int(rng.integers(1, 4))):
        cx, cy, radius = rng.random(3)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < (0.1 + 0.3 * radius) ** 2
        out[inside] += rng.normal(0, 0.3, channels)
    low, high = out.min(), out.max()
    return np.asarray((out - low) / (high - low))


def _grey(plane: NDArray[np.generic]) -> Pixels:
    return np.repeat(np.asarray(plane, np.uint8)[..., None], 3, 2)


def _levels(picture: Floats) -> Pixels:
    return (picture.clip(0, 1) * 255).round().astype(np.uint8)


def _enlarged(cells: NDArray[np.generic], unit: int, side: int) -> NDArray[np.generic]:
    """Every cell as unit x unit pixels, cut to the side."""
    return cells.repeat(unit, 0).repeat(unit, 1)[:side, :side]


def error_diffusion(rng: Rng, side: int) -> Pixels:
    """Floyd-Steinberg dither to black and white."""
    image = Image.fromarray(_levels(smooth(rng, side))[..., 0])
    return _grey(np.asarray(image.convert("1").convert("L")))


def palette_dither(rng: Rng, side: int) -> Pixels:
    """4 to 16 colours, diffused, as in a GIF."""
    image = Image.fromarray(_levels(smooth(rng, side, 3)))
    reduced = image.quantize(int(rng.integers(4, 17)))
    dithered = image.quantize(palette=reduced, dither=Image.Dither.FLOYDSTEINBERG)
    return np.asarray(dithered.convert("RGB"))


def ordered_dither(rng: Rng, side: int) -> Pixels:
    """A Bayer matrix, on grey or on each channel."""
    channels = int(rng.choice([1, 3]))
    tiled = np.tile(BAYER, (side // 4 + 1, side // 4 + 1))[:side, :side, None]
    found = (smooth(rng, side, channels) > tiled + 1 / 32) * 255
    return np.broadcast_to(found.astype(np.uint8), (side, side, 3)).copy()


def halftone(rng: Rng, side: int) -> Pixels:
    """A turned screen of round dots."""
    return _grey(255 * _dots(rng, smooth(rng, side)[..., 0]))


def colour_halftone(rng: Rng, side: int) -> Pixels:
    """Four-colour print: a screen for each ink."""
    planes = [_dots(rng, plane) for plane in np.moveaxis(smooth(rng, side, 3), 2, 0)]
    return np.stack(planes, 2).astype(np.uint8) * 255


def _dots(rng: Rng, plane: Floats) -> NDArray[np.bool_]:
    side = len(plane)
    y, x = np.mgrid[:side, :side] * (np.pi / rng.uniform(2, 6))
    angle = rng.uniform(0, np.pi / 2)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    return np.asarray(plane + 0.25 * (np.cos(u) + np.cos(v)) > 0.5)


def one_pixel_pattern(rng: Rng, side: int) -> Pixels:
    """Stripes or a chequerboard of one or two pixels in two colours, in patches."""
    y, x = np.mgrid[:side, :side]
    out = np.empty((side, side, 3), np.uint8)
    patch = int(rng.choice([16, 32, 64, side]))
    for top in range(0, side, patch):
        for left in range(0, side, patch):
            unit, kind = int(rng.choice([1, 1, 2])), int(rng.integers(4))
            at = (slice(top, top + patch), slice(left, left + patch))
            index = (y[at] // unit * (kind != 1) + x[at] // unit * (kind != 0)) % (2 + (kind == 3))
            out[at] = _two_colours(rng, 3)[index]
    return out


def _two_colours(rng: Rng, count: int = 2) -> Pixels:
    """(count, 3) corners of the colour cube or any colours."""
    if rng.random() < 0.6:
        return CORNERS[rng.choice(8, count, replace=False)]
    return rng.integers(0, 256, (count, 3)).astype(np.uint8)


def chequers(rng: Rng, side: int) -> Pixels:
    """Fields of 3 to 16 pixels in random colours of a few."""
    unit, colours = int(rng.integers(3, 17)), _two_colours(rng, int(rng.integers(2, 7)))
    cells = rng.integers(0, len(colours), (side // unit + 1, side // unit + 1))
    return colours[_enlarged(cells, unit, side)]


def matrix_code(rng: Rng, side: int) -> Pixels:
    """Imitations of QR codes on white, 1 to 6 pixels a module."""
    out = np.full((side, side), 255, np.uint8)
    unit = int(rng.integers(1, 7))
    count = int(rng.choice([21, 25, 33, 45]))
    step = unit * (count + 8)
    for top in range(4 * unit, side - unit * count + 1, step):
        for left in range(4 * unit, side - unit * count + 1, step):
            modules = rng.random((count, count)) < 0.5
            for cy, cx in ((0, 0), (0, count - 7), (count - 7, 0)):
                modules[cy : cy + 7, cx : cx + 7] = True
                modules[cy + 1 : cy + 6, cx + 1 : cx + 6] = False
                modules[cy + 2 : cy + 5, cx + 2 : cx + 5] = True
            code = _enlarged(modules, unit, side)
            out[top : top + len(code), left : left + len(code)] = np.where(code, 0, 255)
    return _grey(out)


def bar_code(rng: Rng, side: int) -> Pixels:
    """Rows of bars of 1 to 4 units."""
    out, row = np.full((side, side), 255, np.uint8), int(rng.integers(30, 120))
    unit = int(rng.integers(1, 4))
    for top in range(8, side - row, row + 16):
        widths = unit * rng.integers(1, 5, side)
        bars = np.repeat(np.arange(side) % 2, widths)[: side - 32] * 255
        out[top : top + row, 16 : 16 + len(bars)] = bars
    return _grey(out)


def pixel_art(rng: Rng, side: int) -> Pixels:
    """Sprites, mirrored, of few colours, each pixel 1 to 8 wide."""
    unit, colours = int(rng.choice([1, 2, 3, 4, 8])), _two_colours(rng, 6)
    count = side // unit + 1
    field = np.zeros((count, count), np.intp)
    for top in range(0, count - 16, 18):
        for left in range(0, count - 16, 18):
            half = rng.integers(1, 6, (16, 8)) * (rng.random((16, 8)) < 0.6)
            field[top : top + 16, left : left + 16] = np.hstack([half, half[:, ::-1]])
    return colours[_enlarged(field, unit, side)]


def saturated_text(rng: Rng, side: int) -> Pixels:
    """Lines of text; ink and paper are corners of the colour cube."""
    image = Image.new("RGB", (side, side), tuple(CORNERS[rng.integers(8)].tolist()))
    draw, y = ImageDraw.Draw(image), 2
    while y < side:
        size, (ink, paper) = int(rng.integers(8, 24)), CORNERS[rng.choice(8, 2, replace=False)]
        if rng.random() < 0.3:
            draw.rectangle((0, y, side, y + size * 1.3), tuple(paper.tolist()))
        font = ImageFont.load_default(size)
        draw.text((int(rng.integers(0, 20)), y), 3 * TEXT, tuple(ink.tolist()), font)
        y += round(size * 1.3)
    return np.asarray(image)


def fax(rng: Rng, side: int) -> Pixels:
    """Text in black and white, with specks."""
    page = np.asarray(_text(rng, side)) > 140
    return _grey(np.where(page ^ (rng.random((side, side)) < 0.002), 255, 0))


def scan(rng: Rng, side: int) -> Pixels:
    """Text on paper, turned a little, softened, with the noise of a scanner."""
    page = _text(rng, side).rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor=240)
    soft = np.asarray(page.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))), np.float64)
    paper = 0.9 + 0.1 * smooth(rng, side, 3)
    return _levels(soft[..., None] / 255 * paper + rng.normal(0, 0.012, (side, side, 3)))


def _text(rng: Rng, side: int) -> Image.Image:
    image = Image.new("L", (side, side), 245)
    draw, size = ImageDraw.Draw(image), int(rng.integers(8, 20))
    for y in range(8, side - size, round(size * 1.3)):
        words = rng.permutation(TEXT.split())
        draw.text((10, y), " ".join(3 * words.tolist()), 10, ImageFont.load_default(size))
    return image


def noise(rng: Rng, side: int) -> Pixels:
    """Independent samples: grey or coloured, uniform or normal."""
    channels, spread = int(rng.choice([1, 3])), rng.uniform(0.05, 0.4)
    drawn = 0.5 + rng.normal(0, spread, (side, side, channels))
    if rng.random() < 0.5:
        drawn = rng.random((side, side, channels))
    return np.broadcast_to(_levels(drawn), (side, side, 3)).copy()


def specks(rng: Rng, side: int) -> Pixels:
    """Black and white pixels strewn over a soft picture."""
    out = _levels(smooth(rng, side, 3))
    where = rng.random((side, side))
    out[where < 0.05], out[where > 0.95] = 0, 255
    return out


def zone_plate(rng: Rng, side: int) -> Pixels:
    """Rings whose frequency grows to the Nyquist limit and beyond."""
    y, x = np.mgrid[:side, :side] - rng.uniform(0, side, 2)[:, None, None]
    rings = 0.5 + 0.5 * np.cos((x**2 + y**2) * np.pi / side * rng.uniform(0.4, 1.2))
    return _grey(_levels(rings))


def flat_colours(rng: Rng, side: int) -> Pixels:
    """Large fields of pure colours."""
    unit = side // int(rng.integers(1, 5)) + 1
    cells = rng.integers(0, 8, (side // unit + 1, side // unit + 1))
    return CORNERS[_enlarged(cells, unit, side)]


def gradients(rng: Rng, side: int) -> Pixels:
    """Slow changes of colour, some of them reduced to 16 levels."""
    y, x = np.mgrid[:side, :side] / side
    angle, ends = rng.uniform(0, 2 * np.pi), rng.random((2, 3))
    at = (np.cos(angle) * x + np.sin(angle) * y)[..., None] % 1
    out = _levels(ends[0] + (ends[1] - ends[0]) * at)
    return out // 16 * 16 if rng.random() < 0.3 else out


def hairlines(rng: Rng, side: int) -> Pixels:
    """A map of lines one pixel wide, not smoothed, in a few colours."""
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(20, 120))):
        points = [(int(a), int(b)) for a, b in rng.integers(0, side, (int(rng.integers(2, 6)), 2))]
        draw.line(points, tuple(_two_colours(rng)[0].tolist()))
    return np.asarray(image)


def chart(rng: Rng, side: int) -> Pixels:
    """Bars, axes and labels."""
    image = Image.new("RGB", (side, side), "white")
    draw, step = ImageDraw.Draw(image), int(rng.integers(12, 40))
    for y in range(0, side, step):
        draw.line((30, y, side, y), (220, 220, 220))
        draw.text((2, y), str(y), "black", ImageFont.load_default(9))
    for x in range(34, side, step):
        ink = tuple(rng.integers(0, 256, 3).tolist())
        draw.rectangle((x, int(rng.integers(0, side - 20)), x + step * 2 // 3, side - 16), ink)
        draw.text((x, side - 14), str(x), "black", ImageFont.load_default(9))
    return np.asarray(image)


def heat_map(rng: Rng, side: int) -> Pixels:
    """Numbers as colours, in cells of 1 to 9 pixels."""
    unit = int(rng.integers(1, 10))
    value = _enlarged(smooth(rng, side // unit + 1)[..., 0], unit, side).astype(np.float64)
    ramp = np.stack([1.5 - abs(4 * value - k) for k in (3, 2, 1)], 2)
    return _levels(ramp)


KINDS: dict[str, Callable[[Rng, int], Pixels]] = {
    kind.__name__: kind
    for kind in (
        error_diffusion, palette_dither, ordered_dither, halftone, colour_halftone, one_pixel_pattern,
        chequers, matrix_code, bar_code, pixel_art, saturated_text, fax, scan, noise, specks, zone_plate,
        flat_colours, gradients, hairlines, chart, heat_map,
    )
}  # fmt: skip


def draw(count: int, seed: int, side: int) -> list[tuple[str, Pixels]]:
    """`count` pictures with the names of their kinds, all kinds in turn; equal for equal seeds."""
    names = list(KINDS)
    return [
        (name, KINDS[name](np.random.default_rng((seed, i)), side))
        for i, name in ((i, names[i % len(names)]) for i in range(count))
    ]

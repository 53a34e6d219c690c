"""Renders pages of text, line art and screens, from which a codec learns hard edges."""

from __future__ import annotations

import string

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nacre.datasets.pictures import Pixels

SIDE = 512  # pixels
WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had
an they which one you were all her she there would their we him been has when who will no more""".split()


def render(count: int, seed: int) -> list[Pixels]:
    """`count` pictures (SIDE, SIDE, 3), all kinds in turn; equal for equal seeds."""
    kinds = (_page, _drawing, _screen)
    return [kinds[i % len(kinds)](np.random.default_rng((seed, i))) for i in range(count)]


def _colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in rng.integers(low, high, 3))
    return r, g, b


def _line(rng: np.random.Generator, words: int) -> str:
    parts = [str(w) for w in rng.choice(WORDS, words)]
    if rng.random() < 0.3:
        parts.append("".join(rng.choice(list(string.digits + string.ascii_uppercase), 6)))
    return " ".join(parts).capitalize()


def _write(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    box: tuple[int, int, int, int],
    ink: tuple[int, int, int],
) -> None:
    """Lines of text in a box, at a random size."""
    size = int(rng.integers(9, 34))
    font = ImageFont.load_default(size)
    left, top, right, bottom = box
    for y in range(top, bottom - size, round(size * 1.4)):
        words = max(1, (right - left) // (size * 3))
        draw.text((left, y), _line(rng, words), fill=ink, font=font)


def _page(rng: np.random.Generator) -> Pixels:
    """A page of text, dark on light or light on dark, some rotated by a few degrees."""
    is_dark = rng.random() < 0.3
    paper = _colour(rng, 0, 60) if is_dark else _colour(rng, 200, 256)
    ink = _colour(rng, 180, 256) if is_dark else _colour(rng, 0, 90)
    image = Image.new("RGB", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(image)
    for left in range(16, SIDE - 100, int(rng.integers(160, 480))):
        _write(draw, rng, (left, 16, SIDE, SIDE - 8), ink)
    if rng.random() < 0.3:
        image = image.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=paper)
    return np.asarray(image)


def _drawing(rng: np.random.Generator) -> Pixels:
    """Lines, arcs and polygons on a plain background, drawn at twice the size and shrunk."""
    image = Image.new("RGB", (2 * SIDE, 2 * SIDE), _colour(rng, 150, 256))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(20, 90))):
        x0, x1 = sorted(int(v) for v in rng.integers(0, 2 * SIDE, 2))
        y0, y1 = sorted(int(v) for v in rng.integers(0, 2 * SIDE, 2))
        ink, width = _colour(rng), int(rng.integers(1, 9))
        kind = rng.integers(4)
        if kind == 0:
            draw.line((x0, y0, x1, y1), ink, width)
        elif kind == 1:
            draw.arc(
                (x0, y0, x1, y1), float(rng.uniform(0, 360)), float(rng.uniform(0, 360)), ink, width
            )
        elif kind == 2:
            draw.rectangle((x0, y0, (x0 + x1) // 2, (y0 + y1) // 2), outline=ink, width=width)
        else:
            points = [(int(x), int(y)) for x, y in rng.integers(0, 2 * SIDE, (3, 2))]
            draw.polygon(points, fill=ink if rng.random() < 0.4 else None, outline=ink)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _screen(rng: np.random.Generator) -> Pixels:
    """Windows with title bars and text, over a smooth gradient."""
    across = np.linspace(_colour(rng), _colour(rng), SIDE)[None].repeat(SIDE, 0)
    image = Image.fromarray(across.round().astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 8))):
        left, top = (int(v) for v in rng.integers(0, SIDE - 120, 2))
        right, bottom = left + int(rng.integers(100, 360)), top + int(rng.integers(80, 320))
        face, is_dark = _colour(rng, 220, 256), rng.random() < 0.3
        face = _colour(rng, 15, 60) if is_dark else face
        draw.rectangle((left, top, right, bottom), face, outline=_colour(rng, 90, 160))
        draw.rectangle((left, top, right, top + 22), _colour(rng))
        _write(
            draw,
            rng,
            (left + 8, top + 28, right, min(bottom, SIDE)),
            (230, 230, 230) if is_dark else (20, 20, 20),
        )
    return np.asarray(image)

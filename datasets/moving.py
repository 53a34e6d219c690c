"""Short clips made of still pictures: pans, zooms, rotations, occlusion by a moving object, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Pixels = NDArray[np.uint8]
FINE = 2  # frames are rendered at this multiple of their size and reduced
FASTEST = 12.0  # pixels per frame
TURN, ZOOM = 0.03, 0.03  # radians and share per frame, at most
OBJECTS = 0.7  # share of clips with an object before the background
BLURRED = 0.25  # share of clips with motion blur
EXPOSURES = 4  # renderings that are averaged for motion blur
NOISY, NOISE = 0.5, 4.0  # share of clips with noise; its standard deviation in levels, at most
FADE = 0.02  # change of brightness per frame, at most


@dataclass(frozen=True)
class Path:
    """The view of a layer over time: centre in its pixels, rotation and zoom."""

    start: NDArray[np.float64]
    speed: NDArray[np.float64]  # pixels per frame
    turn: float
    zoom: float

    @classmethod
    def draw(cls, rng: np.random.Generator, centre: tuple[float, float], fastest: float) -> Path:
        angle, speed = rng.uniform(0, 2 * np.pi), fastest * rng.uniform(0, 1) ** 2
        turn, zoom = (rng.normal(0, most / 3) * (rng.random() < 0.4) for most in (TURN, ZOOM))
        direction = np.array([np.cos(angle), np.sin(angle)])
        return cls(np.array(centre), speed * direction, float(turn), float(zoom))

    def rendered(self, layer: Image.Image, side: int, time: float) -> Image.Image:
        """The layer as seen in a frame of `side` pixels at `time`."""
        scale, angle = np.exp(self.zoom * time), self.turn * time
        a, b = scale * np.cos(angle), scale * np.sin(angle)
        x, y = self.start + self.speed * time
        half = side / 2
        matrix = (a, -b, x - a * half + b * half, b, a, y - b * half - a * half)
        return layer.transform(
            (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
        )


def clip_of(
    rng: np.random.Generator, pictures: Sequence[Pixels], side: int, count: int
) -> list[Pixels]:
    """`count` frames (side, side, 3) made of some of the pictures, whose sides are at least `side` pixels."""
    behind, before = (pictures[int(rng.integers(len(pictures)))] for _ in range(2))
    scene = _Scene(rng, behind, before, side)
    exposures = EXPOSURES if rng.random() < BLURRED else 1
    noise = NOISE * rng.random() ** 2 if rng.random() < NOISY else 0.0
    fade = float(rng.normal(0, FADE / 3)) * (rng.random() < 0.3)
    frames = []
    for k in range(count):
        times = [k + 0.5 * part / exposures for part in range(exposures)]
        levels = np.mean([np.asarray(scene.at(time), np.float32) for time in times], 0)
        levels = levels * (1 + fade) ** k + rng.normal(0, 1, levels.shape) * noise
        frames.append(levels.round().clip(0, 255).astype(np.uint8))
    return frames


class _Scene:
    """A background that moves with the camera, and an object with its own motion."""

    def __init__(self, rng: np.random.Generator, behind: Pixels, before: Pixels, side: int) -> None:
        self._side = side * FINE
        self._behind, self._camera = self._layer(rng, _mirrored(behind), side)
        self._object: tuple[Image.Image, Path] | None = None
        if rng.random() < OBJECTS:
            cut = _cut_out(rng, before, side)
            self._object = self._layer(rng, cut, side)

    def _layer(
        self, rng: np.random.Generator, layer: Image.Image, side: int
    ) -> tuple[Image.Image, Path]:
        large = layer.resize((layer.width * FINE, layer.height * FINE), Image.Resampling.BICUBIC)
        centre = rng.uniform(0.35, 0.65) * large.width, rng.uniform(0.35, 0.65) * large.height
        return large, Path.draw(rng, centre, FASTEST * FINE)

    def at(self, time: float) -> Image.Image:
        frame = self._camera.rendered(self._behind, self._side, time)
        if self._object is not None:
            layer, path = self._object
            shown = path.rendered(layer, self._side, time)
            frame.paste(shown.convert("RGB"), (0, 0), shown.getchannel("A"))
        return frame.reduce(FINE)


def _mirrored(picture: Pixels) -> Image.Image:
    """The picture with its mirror images around it, so that cameras never see an edge."""
    height, width = picture.shape[:2]
    return Image.fromarray(np.pad(picture, ((height, height), (width, width), (0, 0)), "symmetric"))


def _cut_out(rng: np.random.Generator, picture: Pixels, side: int) -> Image.Image:
    """A shape of a picture with nothing around it, RGBA, three frames wide."""
    size, whole = int(side * rng.uniform(0.2, 0.7)), 3 * side
    top, left = (int(rng.integers(0, max(1, n - size))) for n in picture.shape[:2])
    patch = Image.fromarray(picture[top : top + size, left : left + size])
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(0.25, 0.5, corners) * min(patch.size)
    mask = Image.new("L", patch.size)
    draw = ImageDraw.Draw(mask)
    if corners < 5:
        draw.ellipse((0, 0, patch.width - 1, patch.height - 1), fill=255)
    else:
        points = [
            (patch.width / 2 + r * np.cos(a), patch.height / 2 + r * np.sin(a))
            for r, a in zip(radius, angles, strict=True)
        ]
        draw.polygon(points, fill=255)
    layer = Image.new("RGBA", (whole, whole))
    place = ((whole - patch.width) // 2, (whole - patch.height) // 2)
    layer.paste(patch, place, mask)
    return layer

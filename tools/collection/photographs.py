"""Tells photographs from other pictures, shrinks them, and chooses their best tiles for training."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

TILE = 512  # pixels a side
WINDOW = 256  # pixels a side, of the spectrum
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
MAX_PIXELS = 200_000_000
MIN_SHORT_SIDE = 740
MAX_ASPECT = 3.0
MIN_BITS = {  # a pixel; files with fewer are drawings, or have coding errors
    "JPEG": 0.35,
    "WEBP": 0.25,
    "AVIF": 0.2,
    "PNG": 4.0,
    "TIFF": 4.0,
}
NEAR = 10  # bits by which the hashes of two copies may differ
STRONG_SHRINK = (0.4, 0.66)
MILD_SHRINK = (0.62, 0.8)  # for small pictures that are sharp at full size
MILD_BELOW = 1600  # pixels of the short side
MILD_MIN_BITS = 1.5  # a pixel; with fewer, coding errors would be visible after a mild shrink
MIN_SHORT_AFTER, MAX_SHORT_AFTER = 514, 2000
LOW_BAND, MIDDLE_BAND, HIGH_BAND = (0.06, 0.12), (0.15, 0.25), (0.35, 0.48)  # cycles a pixel
MIN_MIDDLE, MIN_HIGH, MAX_FALL = 0.9, -0.35, 3.2  # log10 of power
SOFT_MIN_MIDDLE = 0.2  # for the one softer tile that some photographs add
FLAT_DEVIATION, MAX_FLAT, MAX_CLIPPED = 1.5, 0.45, 0.5
SOFT_EVERY = 6  # one in SOFT_EVERY photographs adds a softer tile

Pixels = NDArray[np.uint8]


class NotAPhotograph(Exception):
    """The file is not taken; the message is a short reason."""


@dataclass(frozen=True)
class Signature:
    """64-bit hashes of the picture and of its middle square, by which copies and crops are recognised."""

    whole: int
    middle: int


class Signatures:
    """A growing set of signatures that finds near ones."""

    def __init__(self) -> None:
        self._signs = np.zeros((0, 64), np.float32)  # (hashes, bits), -1 or 1
        self._count = 0

    def add(self, signature: Signature) -> None:
        if self._count + 2 > len(self._signs):
            more = np.zeros((len(self._signs) + 256, 64), np.float32)
            self._signs = np.concatenate([self._signs, more])
        self._signs[self._count : self._count + 2] = _signs(signature)
        self._count += 2

    def has_near(self, signature: Signature) -> bool:
        agree = self._signs[: self._count] @ _signs(signature).T  # 64 - 2 * differing bits
        return bool((agree >= 64 - 2 * NEAR).any())


def _signs(signature: Signature) -> NDArray[np.float32]:
    """Both hashes, (2, 64) of -1 and 1."""
    data = b"".join(part.to_bytes(8, "big") for part in (signature.whole, signature.middle))
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(2, 64)
    return 2 * bits.astype(np.float32) - 1


@dataclass(frozen=True)
class Tile:
    """One 512x512 tile and its amount of texture."""

    pixels: Pixels  # (512, 512, 3), sRGB
    score: float  # log10 of power in the middle band
    is_good: bool


def look(data: bytes, thumbnail: int = 192) -> tuple[Signature, Image.Image]:
    """Signature and small copy (`thumbnail` pixels on the long side) of a file that may be a photograph.

    Raises NotAPhotograph where the head or the small copy rule it out.
    """
    image = _open(data)
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short < MIN_SHORT_SIDE:
        raise NotAPhotograph("small")
    if long > MAX_ASPECT * short:
        raise NotAPhotograph("long")
    if 8 * len(data) < MIN_BITS[str(image.format)] * width * height:
        raise NotAPhotograph("few bits a pixel")
    image.draft("RGB", (2 * thumbnail, 2 * thumbnail))
    small = _to_srgb(image, reducing_to=4 * thumbnail)
    small.thumbnail((thumbnail, thumbnail), Image.Resampling.BOX)
    if np.asarray(small.convert("L")).std() < 8:
        raise NotAPhotograph("flat")
    return signature(small), small


def signature(image: Image.Image) -> Signature:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    middle = image.crop((left, top, left + side, top + side))
    return Signature(_hash(image), _hash(middle))


def cut(data: bytes, blob: str, at_most: int) -> list[Pixels]:
    """Shrink a photograph and return its best tiles, at most `at_most` of four times as many drawn at random.

    `blob` seeds the draws. Raises NotAPhotograph where no tile is sharp enough.
    """
    random = np.random.default_rng(int(hashlib.sha256(blob.encode()).hexdigest()[:16], 16))
    image = _open(data)
    bits = 8 * len(data) / (image.width * image.height)
    image = _to_srgb(image)
    factor = shrink_factor(image.size, bits if image.format != "PNG" else 8.0, random)
    size = (round(image.width * factor), round(image.height * factor))
    if min(size) < TILE:
        raise NotAPhotograph("small")
    small = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    tiles = [judge(tile) for tile in _grid(small, random)[: 4 * at_most]]
    good = [tile for tile in tiles if tile.is_good]
    if not good:
        raise NotAPhotograph("blurred, flat or enlarged")
    ranks = [tile.score + random.normal(0, 0.3) for tile in good]
    chosen = [good[i] for i in np.argsort(ranks)[::-1][:at_most]]
    soft = [tile for tile in tiles if not tile.is_good and tile.score > SOFT_MIN_MIDDLE]
    if soft and random.integers(SOFT_EVERY) == 0:
        chosen.append(soft[random.integers(len(soft))])
    return [tile.pixels for tile in chosen]


def shrink_factor(size: Sequence[int], bits: float, random: np.random.Generator) -> float:
    """The factor that shrinks a photograph enough to hide its coding errors; `bits` is the bits per pixel."""
    short = min(size)
    is_mild = short < MILD_BELOW and bits >= MILD_MIN_BITS
    low, high = MILD_SHRINK if is_mild else STRONG_SHRINK
    factor = float(random.uniform(low, high))
    factor = max(low, min(factor, MAX_SHORT_AFTER / short))
    return max(factor, MIN_SHORT_AFTER / short)


def judge(pixels: Pixels) -> Tile:
    """Whether a tile has the spectrum of a sharp photograph and is neither flat nor clipped."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)
    corners = (0, TILE - WINDOW)
    powers = np.array([_band_powers(grey[y : y + WINDOW, y : y + WINDOW]) for y in corners])
    low, middle, high = powers.max(axis=0)
    blocks = grey.reshape(TILE // 8, 8, TILE // 8, 8)
    flat = float((blocks.std(axis=(1, 3)) < FLAT_DEVIATION).mean())
    clipped = float(((pixels <= 1) | (pixels >= 254)).all(axis=2).mean())
    is_sharp = middle > MIN_MIDDLE and high > MIN_HIGH and low - high < MAX_FALL
    is_good = bool(is_sharp and flat < MAX_FLAT and clipped < MAX_CLIPPED)
    score = float(middle) if clipped < MAX_CLIPPED else -9.0
    return Tile(pixels, score, is_good)


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAPhotograph("unreadable") from error
    if image.format == "MPO":  # a JPEG with further views behind it
        image.format = "JPEG"
    if image.width * image.height > MAX_PIXELS:
        raise NotAPhotograph("huge")
    if image.mode in ("CMYK", "YCCK", "LAB"):
        raise NotAPhotograph("not RGB")
    if image.mode in ("1", "P", "PA", "I", "F") or image.mode.startswith("I;"):
        raise NotAPhotograph("palette or deep grey")
    return image


def _to_srgb(image: Image.Image, reducing_to: int = 0) -> Image.Image:
    """The picture upright, opaque, in 8-bit sRGB; reduced first to a long side of about `reducing_to`."""
    profile, kind = image.info.get("icc_profile"), image.format
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # decoders raise any exception on broken files
        raise NotAPhotograph("unreadable") from error
    if image.mode in ("RGBA", "LA", "RGBa", "La"):
        if image.getchannel("A").getextrema()[0] != 255:
            raise NotAPhotograph("transparent")
        image = image.convert("RGB" if image.mode.startswith("RGB") else "L")
    times = max(image.size) // reducing_to if reducing_to else 1
    if times > 1:
        image = image.reduce(times)
    image = _apply_profile(image, profile) if profile else image
    image = image.convert("RGB")
    image.format = kind
    return image


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        srgb = ImageCms.createProfile("sRGB")
        changed = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # viewers ignore a broken profile, too
    return changed if changed is not None else image


def _hash(image: Image.Image) -> int:
    """The 64 lowest DCT frequencies of a 32x32 grey copy, each compared with their median: one bit each."""
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    k = np.arange(32)
    cosines = np.cos(np.pi * (2 * k[None] + 1) * k[:8, None] / 64)
    low = (cosines @ grey @ cosines.T).ravel()
    return int("".join("1" if c > np.median(low[1:]) else "0" for c in low), 2)


def _grid(pixels: Pixels, random: np.random.Generator) -> list[Pixels]:
    """The tiles of a grid with a random offset, in random order."""
    height, width = pixels.shape[:2]
    top = int(random.integers(height % TILE + 1))
    left = int(random.integers(width % TILE + 1))
    places = [
        (y, x)
        for y in range(top, height - TILE + 1, TILE)
        for x in range(left, width - TILE + 1, TILE)
    ]
    random.shuffle(places)
    return [pixels[y : y + TILE, x : x + TILE] for y, x in places]


def _band_powers(grey: NDArray[np.float32]) -> list[float]:
    """log10 of the mean power in the low, middle and high band of a square window."""
    window = np.hanning(WINDOW)[:, None] * np.hanning(WINDOW)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2 / (window**2).sum()
    frequency = np.hypot(np.fft.fftfreq(WINDOW)[:, None], np.fft.fftfreq(WINDOW))
    bands = (LOW_BAND, MIDDLE_BAND, HIGH_BAND)
    means = [power[(frequency >= low) & (frequency < high)].mean() for low, high in bands]
    return [float(np.log10(mean + 1e-9)) for mean in means]

"""Facts of a clip beside its pixels: time, colour, geometry, and the carried streams."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W, 3) red, green, blue; full range
UPRIGHT = (
    65536,
    0,
    0,
    0,
    65536,
    0,
    0,
    0,
    1 << 30,
)  # the display matrix of a clip that is not turned


class Range(IntEnum):
    """The range of Y'CbCr samples."""

    UNKNOWN = 0
    LIMITED = 1  # 16 to 235 and 240 of 8 bits
    FULL = 2


class Scan(IntEnum):
    """The order of lines in time."""

    UNKNOWN = 0
    PROGRESSIVE = 1
    INTERLACED = 2  # which field is first is not kept


class ChromaSite(IntEnum):
    """Where the chroma samples of 4:2:0 and 4:2:2 lie among those of luma."""

    LEFT = 1  # MPEG-2 and later: on luma columns, between luma lines
    CENTRE = 2  # JPEG and MPEG-1: between both
    TOP_LEFT = 3  # on both


@dataclass(frozen=True)
class Chapter:
    """A named part of a clip."""

    start: int  # ticks
    end: int  # ticks
    time_base: Fraction  # seconds of a tick
    metadata: dict[str, str] = field(default_factory=dict)  # title, ...


@dataclass(frozen=True)
class Attachment:
    """A file that a clip has with it: a font of its subtitles, a cover."""

    name: str
    media_type: str  # as image/jpeg
    data: bytes


@dataclass(frozen=True)
class VideoFacts:
    """The video stream of a clip; colours by the numbers of ITU-T H.273, where 2 is unknown."""

    width: int  # pixels, before the display matrix is applied
    height: int
    time_base: Fraction  # seconds of a tick
    rate: Fraction | None = None  # frames a second on average; None where it is not known
    aspect: Fraction = Fraction(1)  # of a sample, width by height
    pixel_format: str = "yuv420p"  # as FFmpeg names it
    range: Range = Range.UNKNOWN
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    site: ChromaSite = ChromaSite.LEFT
    scan: Scan = Scan.UNKNOWN
    display: tuple[int, ...] = UPRIGHT  # 9 numbers, as in the track header of MP4
    metadata: dict[str, str] = field(default_factory=dict)  # of the file: title, ...
    stream_metadata: dict[str, str] = field(default_factory=dict)  # of the video stream
    chapters: tuple[Chapter, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def bits(self) -> int:
        """Bits of a source sample, by the name of the pixel format."""
        name = self.pixel_format.removesuffix("le").removesuffix("be")
        for bits in (16, 14, 12, 10, 9):
            if name.endswith(f"p{bits}") or name == f"gray{bits}":
                return bits
        return 8

    @property
    def is_rgb(self) -> bool:
        return self.pixel_format.startswith(("gbr", "rgb", "bgr"))

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which a player turns the picture, rounded to quarter turns."""
        a, b = self.display[0], self.display[1]
        if abs(a) >= abs(b):
            return 0 if a >= 0 else 180
        return 90 if b > 0 else 270


class StreamKind(IntEnum):
    """The kind of a carried stream."""

    AUDIO = 1
    SUBTITLE = 2


class HeadForm(IntEnum):
    """The container format of the head that keeps the parameters of a stream."""

    MOV = 1
    MATROSKA = 2
    NUT = 3


@dataclass(frozen=True)
class StreamFacts:
    """A stream whose packets are carried along unchanged."""

    kind: StreamKind
    codec: str  # as FFmpeg names it
    time_base: Fraction  # seconds of a tick
    language: str  # ISO 639, or nothing
    disposition: int  # bits as in FFmpeg: 1 default, 64 forced, ...
    form: HeadForm
    head: bytes  # a file of that form with this stream alone: its parameters, and no packets of its own
    metadata: dict[str, str] = field(default_factory=dict)  # title, ...; without the language


@dataclass(frozen=True)
class ClipPacket:
    """A packet of a stream that is carried along; times are in ticks of its stream."""

    stream: int  # its place among the StreamFacts
    pts: int
    dts: int
    duration: int
    is_key: bool
    is_hidden: bool  # decoded and not played: the lead-in of a coder
    data: bytes

    @property
    def end(self) -> int:
        return self.pts + self.duration


@dataclass(frozen=True)
class ClipFrame:
    """A picture of a clip and when it is shown."""

    pixels: Pixels
    pts: int  # ticks
    duration: int  # ticks
    time_base: Fraction  # seconds of a tick

    @property
    def seconds(self) -> float:
        """The time at which the frame is shown."""
        return float(self.pts * self.time_base)

    @property
    def duration_seconds(self) -> float:
        return float(self.duration * self.time_base)


@dataclass(frozen=True)
class ClipLength:
    """The length of a clip."""

    seconds: float  # from the first frame to the end of the last
    frames: int
    carried_bytes: int  # of the packets of all other streams


class ClipWarning(UserWarning):
    """Part of a clip is not kept, or had to be guessed."""


def warn(message: str) -> None:
    """Tell the user of a clip with a ClipWarning."""
    warnings.warn(message, ClipWarning, stacklevel=4)


def to_depth(pixels: Pixels, bits: int) -> Pixels:
    """Convert samples to 8 or 16 bits: rounded, or scaled to the whole range."""
    if pixels.dtype == (np.uint8 if bits == 8 else np.uint16):
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return to_8_bits(pixels)


def to_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8)
    wide: NDArray[Any] = pixels.astype(np.uint32)
    return ((wide + 128) // 257).astype(np.uint8)

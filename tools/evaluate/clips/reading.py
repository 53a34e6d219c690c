"""Clips as 8-bit planes of 4:2:0 and as 8-bit RGB: the inputs of codecs, and references for comparison."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from nacre.codec.clips.facts import Range, VideoFacts, to_8_bits
from nacre.codec.clips.planes import PlaneFormat, planes_of
from nacre.codec.clips.sequences import is_pattern
from nacre.codec.clips.source import SourceOptions, frames_of_source, open_source
from nacre.codec.clips.ycbcr import Layout, from_rgb, to_rgb
from nacre.entropy.errors import ImageError
from nacre.tools.evaluate.results import ClipFacts, PictureFacts

PLANAR = PlaneFormat("yuv420p")
RATES = (1, 240)  # frames a second allowed for encoders; other rates become USUAL_RATE
USUAL_RATE = Fraction(25)
BT709 = 1  # number of the matrix in ITU-T H.273

Samples = NDArray[np.uint8]
Planes = tuple[Samples, ...]  # Y (H, W), Cb and Cr (ceil(H / 2), ceil(W / 2))


@dataclass(frozen=True)
class ClipInput:
    """The first frames of a clip: a file, or a pattern such as frames/%05d.png.

    Frames of yuv420p are used without conversion. Other frames are converted to 8-bit RGB, and from there to
    planes of BT.709 in limited range.
    """

    path: str
    frames: int | None = None  # None is all

    @property
    def name(self) -> str:
        """The name in results: of the file, or of the folder of the pictures."""
        path = Path(self.path)
        return (path.parent.resolve() if is_pattern(self.path) else path).name

    @cached_property
    def facts(self) -> VideoFacts:
        """The facts of the clip as codecs get it, without metadata. Raises ImageError or OSError."""
        source = open_source(self.path, SourceOptions(with_audio=False, with_subtitles=False))
        source.close()
        facts = replace(source.facts, metadata={})
        if self._is_planar(facts):
            return facts
        return replace(facts, pixel_format=PLANAR.name, range=Range.LIMITED, matrix=BT709)

    @property
    def layout(self) -> Layout:
        """The layout of the planes."""
        return PLANAR.layout(self.facts)

    @property
    def rate(self) -> Fraction:
        """Frames a second, as given to encoders."""
        rate = self.facts.rate
        return rate if rate and RATES[0] <= rate <= RATES[1] else USUAL_RATE

    def read(self) -> Iterator[ClipPicture]:
        """The frames in display order. Raises ImageError."""
        return islice(self._all(), self.frames)

    def facts_for_results(self) -> PictureFacts:
        """Read the whole clip. The SHA-256 covers the input of codecs: samples, size, rate, colours."""
        facts, layout, count = self.facts, self.layout, 0
        told = f"{facts.width} {facts.height} {self.rate} {layout.range} {layout.matrix}"
        digest = hashlib.sha256(told.encode())
        for frame in self.read():
            count += 1
            for samples in (*frame.planes, frame.pixels):
                digest.update(samples.tobytes())
        clip = ClipFacts(count, float(self.rate))
        return PictureFacts(facts.width, facts.height, digest.hexdigest(), clip=clip)

    def with_both(self, decoded: Planes | Samples) -> ClipPicture:
        """Both forms of a frame: converts planes to RGB, or RGB (H, W, 3) to planes."""
        if isinstance(decoded, tuple):
            return ClipPicture(decoded, to_8_bits(to_rgb(decoded, self.layout)))
        return ClipPicture(from_rgb(decoded, self.layout), decoded)

    @staticmethod
    def _is_planar(facts: VideoFacts) -> bool:
        return facts.pixel_format == PLANAR.name

    def _all(self) -> Iterator[ClipPicture]:
        source = open_source(self.path, SourceOptions(with_audio=False, with_subtitles=False))
        try:
            if not self._is_planar(source.facts):
                for frame in frames_of_source(source):
                    yield self.with_both(to_8_bits(frame.pixels))
                return
        finally:
            source.close()
        for planes in stored_planes(self.path):
            yield self.with_both(planes)


@dataclass(frozen=True)
class ClipPicture:
    """A frame in both forms."""

    planes: Planes
    pixels: Samples  # (H, W, 3) red, green, blue


def stored_planes(path: str | Path, threads: int = 1) -> Iterator[Planes]:
    """Decode the planes of a yuv420p file. Raises ImageError for damaged frames and other formats."""
    try:
        with av.open(str(path), "r", metadata_errors="replace") as container:
            covers = av.stream.Disposition.attached_pic
            stream = next(s for s in container.streams.video if not s.disposition & covers)
            stream.codec_context.thread_count = threads
            for frame in container.decode(stream):
                if frame.is_corrupt or PlaneFormat.of(frame.format).name != PLANAR.name:
                    raise ImageError(f"{path}: a frame is damaged or not {PLANAR.name}")
                yield planes_of(frame, PLANAR)
    except av.error.FFmpegError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error

"""One clip through one codec: encode a file, decode it, compare frame by frame."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from nacre.tools.evaluate import metrics
from nacre.tools.evaluate.clips.codec import ClipCodec, CodedClip, Conditions, Stopwatch
from nacre.tools.evaluate.clips.reading import ClipInput, ClipPicture
from nacre.tools.evaluate.clips.registry import create
from nacre.tools.evaluate.codecs.base import CodecFailed
from nacre.tools.evaluate.measure import DIGEST, reason_of, rounded, use_threads
from nacre.tools.evaluate.memory import PeakMemory
from nacre.tools.evaluate.results import Failure, FrameFigures, Row


@dataclass(frozen=True)
class ClipTask:
    """One clip, one codec and some qualities, for a worker process."""

    codec: str
    clip: ClipInput
    qualities: tuple[float, ...]
    conditions: Conditions
    is_timed: bool = False  # alone on the machine, so that seconds are comparable

    @property
    def label(self) -> str:
        return self.clip.name

    def rows(self) -> Iterator[Row | Failure]:
        """Yield a row or a failure for each quality, in order. Exceptions of codecs become failures."""
        threads = self.conditions.threads
        use_threads(threads)
        try:
            codec = codec_of(self.codec, self.conditions)
        except Exception as error:
            for quality in self.qualities:
                yield Failure(self.label, quality, reason_of(error))
            return
        use_threads(threads)
        if self.is_timed and codec.warms_up:
            self._warm_up(codec)
        for quality in self.qualities:
            try:
                yield measure(codec, self.clip, quality, self.is_timed)
            except Exception as error:  # a codec's library may raise anything
                yield Failure(self.label, quality, reason_of(error))

    def _warm_up(self, codec: ClipCodec) -> None:
        """Run the one-time work of the first frames of a size. A failure recurs and is reported later."""
        short = replace(self.clip, frames=2)
        with contextlib.suppress(Exception), coded(codec, short, self.qualities[0]) as (path, _):
            for _ in codec.decode(path, short):
                pass


@lru_cache(maxsize=2)
def codec_of(name: str, conditions: Conditions) -> ClipCodec:
    """Return the codec of a name; a process keeps the last two, with their networks loaded."""
    return create(name, conditions)


@contextlib.contextmanager
def coded(codec: ClipCodec, clip: ClipInput, quality: float) -> Iterator[tuple[Path, CodedClip]]:
    """Yield the temporary file of a coded clip, and the results of encoding."""
    with tempfile.TemporaryDirectory(prefix="nacre-") as folder:
        path = Path(folder) / f"clip{codec.suffix}"
        yield path, codec.encode(clip, quality, path)


def measure(codec: ClipCodec, clip: ClipInput, quality: float, is_timed: bool = False) -> Row:
    """Encode, decode and compare. Raises CodecFailed when other frames come back than were given."""
    memory = PeakMemory()
    with coded(codec, clip, quality) as (path, found):
        digest, size = _digest(path), path.stat().st_size
        watch = Stopwatch()
        frames = [
            figures(one, other, count)
            for one, other, count in _pairs(codec, clip, path, found, watch)
        ]
    peak = memory.mib()
    count, area = len(frames), clip.facts.width * clip.facts.height
    ssim = [frame.ms_ssim for frame in frames if frame.ms_ssim is not None]

    def mean(name: str) -> float:
        return rounded(float(np.mean([getattr(frame, name) for frame in frames])))

    return Row(
        picture=clip.name,
        quality=quality,
        bytes=size,
        bpp=rounded(8 * size / (count * area)),
        psnr_rgb=mean("psnr_rgb"),
        psnr_y=mean("psnr_y"),
        psnr_cb=mean("psnr_cb"),
        psnr_cr=mean("psnr_cr"),
        ms_ssim=rounded(float(np.mean(ssim))) if ssim else None,
        encode_seconds=rounded(found.seconds) if is_timed else None,
        decode_seconds=rounded(watch.seconds) if is_timed else None,
        peak_memory_mib=None if peak is None or not is_timed else round(peak, 1),
        sha256=digest,
        frames=tuple(frames),
    )


def figures(source: ClipPicture, decoded: ClipPicture, size: int) -> FrameFigures:
    """Compare two frames; `size` is the bytes of the packets."""
    y, cb, cr = (metrics.psnr_db(a, b) for a, b in zip(source.planes, decoded.planes, strict=True))
    return FrameFigures(
        bytes=size,
        psnr_rgb=rounded(metrics.psnr_db(source.pixels, decoded.pixels)),
        psnr_y=rounded(y),
        psnr_cb=rounded(cb),
        psnr_cr=rounded(cr),
        ms_ssim=rounded(metrics.ms_ssim(source.pixels, decoded.pixels)),
    )


def _pairs(
    codec: ClipCodec, clip: ClipInput, path: Path, found: CodedClip, watch: Stopwatch
) -> Iterator[tuple[ClipPicture, ClipPicture, int]]:
    """Each frame, its decoded frame and the bytes of its packets; the watch times decoding alone."""
    decoded = codec.decode(path, clip)
    source = clip.read()
    for number, size in enumerate(found.frame_bytes):
        with watch:
            theirs = next(decoded, None)
        ours = next(source, None)
        if theirs is None or ours is None:
            raise CodecFailed(f"frame {number} is missing of {len(found.frame_bytes)}")
        both = clip.with_both(theirs)
        if both.pixels.shape != ours.pixels.shape:
            raise CodecFailed(f"gave {both.pixels.shape}, not {ours.pixels.shape}")
        yield ours, both, size
    if next(source, None) is not None or next(decoded, None) is not None:
        raise CodecFailed(f"other frames than the {len(found.frame_bytes)} of the packets")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST]

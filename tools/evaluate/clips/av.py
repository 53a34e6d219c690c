"""Video encoders through PyAV at constant quality: a file is the bare stream of the encoder, IVF for VP9.

Random access is the encoder's own structure, with bidirectional prediction. In low delay no frame depends on a
later frame.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from nacre.codec.clips.planes import frame_of_planes
from nacre.entropy.errors import ImageError
from nacre.tools.evaluate.clips.codec import ClipCodec, CodedClip, Conditions, Stopwatch
from nacre.tools.evaluate.clips.reading import PLANAR, ClipInput, Planes, stored_planes
from nacre.tools.evaluate.codecs.av import require, version
from nacre.tools.evaluate.codecs.base import CodecFailed, whole

LOW_DELAY = "lowdelay"
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
           "veryslow", "placebo")  # fmt: skip # of x264 and x265


class AvClipCodec(ClipCodec):
    """An encoder of FFmpeg."""

    encoder: ClassVar[str]  # names of FFmpeg
    decoder: ClassVar[str]
    muxer: ClassVar[str]
    standard: ClassVar[str]  # for tables
    presets: ClassVar[Sequence[str]]
    preset: str  # default, which the name can change
    filters: ClassVar[str | None] = None  # bitstream filter of FFmpeg
    is_low_delay = False

    def __init__(
        self, name: str, options: Mapping[str, str], parts: Sequence[str], conditions: Conditions
    ) -> None:
        super().__init__(name, options, parts, conditions)
        require(self.encoder, self.decoder)

    @property
    def parts_known(self) -> str:
        return f"{LOW_DELAY}, {', '.join(self.presets)}"

    def _take_parts(self, parts: Sequence[str]) -> str | None:
        for part in parts:
            if part == LOW_DELAY:
                self.is_low_delay = True
            elif part in self.presets:
                self.preset = part
            else:
                return part
        return None

    @abstractmethod
    def encoder_options(self, quality: str) -> dict[str, str]:
        """Options of FFmpeg's encoder."""

    @property
    def label(self) -> str:
        how = "low delay" if self.is_low_delay else "random access"
        return f"{self.standard} ({self.key} {self.preset}), {how}"

    @property
    def settings(self) -> str:
        options = " ".join(f"-{key} {value}" for key, value in self.encoder_options("Q").items())
        return f"{self.encoder} {PLANAR.name} {options}" + (
            f" -bsf {self.filters}" if self.filters else ""
        )

    @property
    def version(self) -> str:
        return version()

    def encode(self, clip: ClipInput, quality: float, path: Path) -> CodedClip:
        watch, sizes = Stopwatch(), dict[int, int]()
        try:
            with av.open(str(path), "w", format=self.muxer) as container:
                with watch:
                    stream = self._stream(container, clip, quality)
                    filters = self._filters(stream)

                def put(frame: Any) -> None:
                    with watch:
                        for packet in stream.encode(frame):
                            for kept in filters.filter(packet) if filters else [packet]:
                                sizes[kept.pts] = sizes.get(kept.pts, 0) + kept.size
                                container.mux(kept)

                for i, frame in enumerate(clip.read()):
                    put(self._frame(frame.planes, clip, i))
                put(None)
        except av.error.FFmpegError as error:
            raise CodecFailed(f"{self.encoder}: {error}") from error
        return CodedClip([sizes[pts] for pts in sorted(sizes)], watch.seconds)

    def _stream(self, container: Any, clip: ClipInput, quality: float) -> Any:
        stream = container.add_stream(
            self.encoder, rate=clip.rate, options=self.encoder_options(str(whole(quality)))
        )
        facts = clip.facts
        stream.height, stream.width = (side + side % 2 for side in (facts.height, facts.width))
        stream.pix_fmt = PLANAR.name
        context = stream.codec_context
        context.thread_count = self.conditions.threads
        context.color_range, context.colorspace = int(facts.range), facts.matrix
        return stream

    def _filters(self, stream: Any) -> Any:
        return BitStreamFilterContext(self.filters, stream) if self.filters else None

    @staticmethod
    def _frame(planes: Planes, clip: ClipInput, number: int) -> Any:
        """A frame of FFmpeg. 4:2:0 needs even sides: luma repeats its edge where a side is odd."""
        height, width = planes[0].shape
        even = np.pad(planes[0], ((0, height % 2), (0, width % 2)), mode="edge")
        frame = frame_of_planes((even, *planes[1:]), PLANAR)
        frame.pts, frame.time_base = number, Fraction(1) / clip.rate
        frame.color_range, frame.colorspace = int(clip.facts.range), clip.facts.matrix
        return frame

    def decode(self, path: Path, clip: ClipInput) -> Iterator[Planes]:
        height, width = clip.facts.height, clip.facts.width
        try:
            for y, cb, cr in stored_planes(path, self.conditions.threads):
                yield y[:height, :width], cb, cr
        except ImageError as error:
            raise CodecFailed(f"{self.decoder}: {error}") from error


class X264Clip(AvClipCodec):
    """H.264 by x264, without the messages in which it writes its settings."""

    key, standard, suffix = "x264", "H.264", ".264"
    encoder, decoder, muxer, filters = "libx264", "h264", "h264", "filter_units=remove_types=6"
    presets, preset = PRESETS, "medium"
    options = {"tune": "psnr"}
    qualities = (40, 35, 30, 25, 20)

    def encoder_options(self, quality: str) -> dict[str, str]:
        tunes = [t for t in (self.chosen["tune"],) if t != "none"]
        tunes += ["zerolatency"] if self.is_low_delay else []
        tune = {"tune": ",".join(tunes)} if tunes else {}
        return {"preset": self.preset, **tune, "crf": quality, "g": str(self.conditions.gop)}


class X265Clip(AvClipCodec):
    """HEVC by x265, without its information message."""

    key, standard, suffix = "x265", "HEVC", ".265"
    encoder, decoder, muxer = "libx265", "hevc", "hevc"
    presets, preset = PRESETS, "medium"
    options = {"tune": "psnr"}
    qualities = (40, 35, 30, 25, 20)

    def encoder_options(self, quality: str) -> dict[str, str]:
        threads = self.conditions.threads
        inside = f"crf={quality}:keyint={self.conditions.gop}:info=0:log-level=none"
        inside += ":pools=none:frame-threads=1" if threads == 1 else f":pools={threads}"
        if self.is_low_delay:  # as tune "zerolatency", which excludes another tune
            inside += ":bframes=0:b-adapt=0:rc-lookahead=0:scenecut=0:cutree=0"
        tune = {} if self.chosen["tune"] == "none" else {"tune": self.chosen["tune"]}
        return {"preset": self.preset, **tune, "x265-params": inside}


class SvtAv1Clip(AvClipCodec):
    """AV1 by SVT-AV1; presets are numbers, higher is faster."""

    key, standard, suffix = "svtav1", "AV1", ".obu"
    encoder, decoder, muxer = "libsvtav1", "libdav1d", "obu"
    presets, preset = tuple(map(str, range(14))), "8"
    options = {"tune": "1"}  # PSNR
    qualities = (60, 51, 42, 33, 24)

    def __init__(
        self, name: str, options: Mapping[str, str], parts: Sequence[str], conditions: Conditions
    ) -> None:
        super().__init__(name, options, parts, conditions)
        os.environ.setdefault("SVT_LOG", "1")  # errors only; else it prints a page for every clip

    def encoder_options(self, quality: str) -> dict[str, str]:
        inside = f"tune={self.chosen['tune']}:lp={self.conditions.threads}"
        inside += ":pred-struct=1" if self.is_low_delay else ""
        return {"preset": self.preset, "crf": quality, "g": str(self.conditions.gop),
                "svtav1-params": inside}  # fmt: skip


class _AomFamily(AvClipCodec):
    """Encoders of libaom and libvpx, which share their options; presets are cpu-used, higher is faster."""

    presets = tuple(map(str, range(10)))
    qualities = (60, 51, 42, 33, 24)

    def encoder_options(self, quality: str) -> dict[str, str]:
        ahead = {"lag-in-frames": "0" if self.is_low_delay else "25"}
        ahead["auto-alt-ref"] = "0" if self.is_low_delay else "1"
        return {"cpu-used": self.preset, "crf": quality, "b": "0", "g": str(self.conditions.gop),
                **self._usage(), **ahead}  # fmt: skip

    @abstractmethod
    def _usage(self) -> dict[str, str]:
        """The options in which the encoders differ."""


class AomClip(_AomFamily):
    """AV1 by libaom."""

    key, standard, suffix, preset = "aom", "AV1", ".obu", "4"
    encoder, decoder, muxer = "libaom-av1", "libdav1d", "obu"

    def _usage(self) -> dict[str, str]:
        return {"usage": "good"}


class Vp9Clip(_AomFamily):
    """VP9 by libvpx in one pass, which never uses a later frame: it is always low delay."""

    is_low_delay = True

    key, standard, suffix, preset = "vp9", "VP9", ".ivf", "2"
    encoder, decoder, muxer = "libvpx-vp9", "vp9", "ivf"

    def _usage(self) -> dict[str, str]:
        return {"deadline": "good", "tile-columns": "0"}

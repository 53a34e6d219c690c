"""Video encoders through PyAV: a picture is one intra frame, a file is the bare stream of the encoder.

Colours are converted by `planes` (BT.709, full range, rounded once), not by FFmpeg.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from nacre.tools.evaluate.codecs.base import Codec, CodecFailed, CodecMissing, whole
from nacre.tools.evaluate.planes import Planes, to_even_sides, to_planes, to_rgb

H264_INFORMATION = 6  # nal_unit_type of supplemental enhancement information: H.264, table 7-1


def require(encoder: str, decoder: str) -> None:
    """Raise CodecMissing if PyAV or one of FFmpeg's codecs is missing."""
    try:
        import av
    except ImportError as error:
        raise CodecMissing(f"pip install av ({error})") from error
    missing = {encoder, decoder} - av.codecs_available
    if missing:
        names = ", ".join(sorted(missing))
        raise CodecMissing(f"this PyAV was built without {names}; its wheels on PyPI may have it")


def version() -> str:
    """Return the versions of PyAV and FFmpeg's codecs."""
    import av

    numbers = ".".join(str(n) for n in av.library_versions["libavcodec"])
    return f"PyAV {av.__version__}, libavcodec {numbers}"


class AvCodec(Codec):
    """An encoder of FFmpeg at a constant quantiser."""

    encoder: str  # names of FFmpeg
    decoder: str
    chroma: str = "444"

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        require(self.encoder, self.decoder)
        self.depth = self.chosen_int("depth")

    @property
    def pixel_format(self) -> str:
        return f"yuv{self.chroma}p" + ("" if self.depth == 8 else f"{self.depth}le")

    @abstractmethod
    def encoder_options(self, quality: float) -> dict[str, str]:
        """Return options of FFmpeg's encoder."""

    @property
    def settings(self) -> str:
        inside = " ".join(
            f"-{key} {value}" for key, value in self.encoder_options(self.qualities[0]).items()
        )
        worst = f"{self.qualities[0]:g}"
        return f"{self.encoder} {self.pixel_format}, one frame: {inside}".replace(worst, "Q", 1)

    @property
    def version(self) -> str:
        return version()

    @property
    def _is_half(self) -> bool:
        return self.chroma == "420"

    def _encode(self, image: Image.Image, quality: float) -> bytes:
        import av

        even = to_even_sides(np.asarray(image))
        planes = to_planes(even, self.depth, self._is_half)
        context: Any = av.CodecContext.create(self.encoder, "w")
        context.height, context.width = even.shape[:2]
        context.pix_fmt = self.pixel_format
        context.time_base = Fraction(1, 1)
        context.framerate = Fraction(1, 1)
        context.thread_count = 1
        context.options = self.encoder_options(quality)
        try:
            packets = [*context.encode(_frame(planes, self.pixel_format)), *context.encode(None)]
        except av.error.FFmpegError as error:
            raise CodecFailed(f"{self.encoder}: {error}") from error
        return self.stripped(b"".join(bytes(packet) for packet in packets))

    def stripped(self, stream: bytes) -> bytes:
        """Return the stream without the units that no decoder needs."""
        return stream

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        planes = decode_frame(self.decoder, data, self.pixel_format)
        return Image.fromarray(to_rgb(planes, self.depth)[: size[1], : size[0]])


def decode_frame(decoder: str, data: bytes, pixel_format: str) -> Planes:
    """Decode a bare stream of one frame to planes. Raises CodecFailed when it holds anything else."""
    import av

    context: Any = av.CodecContext.create(decoder, "r")
    context.thread_count = 1
    try:
        packets = [*context.parse(data), *context.parse(None)]
        frames = [f for packet in [*packets, None] for f in context.decode(packet)]
    except av.error.FFmpegError as error:
        raise CodecFailed(f"{decoder}: {error}") from error
    formats = [frame.format.name.replace("yuvj", "yuv") for frame in frames]
    if formats != [pixel_format]:
        raise CodecFailed(f"{decoder} gave {formats}, not one {pixel_format}")
    return _planes(frames[0], "<u2" if "le" in pixel_format else "u1")


def _frame(planes: Planes, pixel_format: str) -> Any:
    import av

    height, width = planes[0].shape
    frame: Any = av.VideoFrame(width, height, pixel_format)
    for plane, samples in zip(frame.planes, planes, strict=True):
        kind = "u1" if "le" not in pixel_format else "<u2"
        rows = samples.astype(kind)
        padded = np.zeros((plane.height, plane.line_size // rows.itemsize), kind)
        padded[:, : rows.shape[1]] = rows
        plane.update(padded)
    frame.pts = 0
    frame.color_range = 2  # full
    frame.colorspace = 1  # BT.709
    return frame


def _planes(frame: Any, kind: str) -> Planes:
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        found.append(rows[:, : plane.width].astype(np.uint16))
    return found


class X264(AvCodec):
    """H.264 by x264. The quality is the quantiser on the scale of 8 bits, also at 10 bits."""

    key, encoder, decoder = "x264", "libx264", "h264"
    options = {"preset": "slow", "tune": "psnr", "depth": "8"}
    qualities = (46, 42, 38, 34, 30, 26, 22, 18, 14, 10)

    def encoder_options(self, quality: float) -> dict[str, str]:
        return {
            "qp": str(whole(quality) + 6 * (self.depth - 8)),
            "preset": self.chosen["preset"],
            "tune": self.chosen["tune"],
        }

    @property
    def settings(self) -> str:
        quantiser = "Q" if self.depth == 8 else f"Q+{6 * (self.depth - 8)}"
        return (
            f"libx264 {self.pixel_format}, one frame: -qp {quantiser} -preset {self.chosen['preset']} "
            f"-tune {self.chosen['tune']}; information messages (600 bytes) left out"
        )

    def stripped(self, stream: bytes) -> bytes:
        """Remove the message in which x264 writes its settings. No unit contains a start code."""
        units = filter(None, re.split(rb"\x00*\x00\x00\x01", stream))
        return b"".join(b"\0\0\1" + unit for unit in units if unit[0] & 31 != H264_INFORMATION)

    @property
    def label(self) -> str:
        return "H.264 intra 4:4:4 (x264)"


class X265(AvCodec):
    """HEVC by x265, without its information message, which is 2 kB of text."""

    key, encoder, decoder = "x265", "libx265", "hevc"
    options = {"preset": "slow", "tune": "psnr", "depth": "8"}
    qualities = (46, 42, 38, 34, 30, 26, 22, 18, 14, 10)

    def encoder_options(self, quality: float) -> dict[str, str]:
        parameters = f"qp={whole(quality)}:info=0:log-level=none:pools=none:frame-threads=1"
        return {
            "x265-params": parameters,
            "preset": self.chosen["preset"],
            "tune": self.chosen["tune"],
        }

    @property
    def label(self) -> str:
        return "HEVC intra 4:4:4 (x265)"


class SvtAv1(AvCodec):
    """AV1 by SVT-AV1, which codes 4:2:0 only."""

    key, encoder, decoder = "svtav1", "libsvtav1", "libdav1d"
    options = {"preset": "4", "depth": "10"}
    qualities = (60, 54, 48, 42, 36, 30, 24, 18, 12, 6)
    chroma = "420"

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        super().__init__(name, options)
        os.environ.setdefault(
            "SVT_LOG", "1"
        )  # errors only; else it prints a page for every picture

    def encoder_options(self, quality: float) -> dict[str, str]:
        return {
            "svtav1-params": f"rc=0:aq-mode=0:qp={whole(quality)}:tune=1:avif=1:lp=1",
            "preset": self.chosen["preset"],
        }

    @property
    def label(self) -> str:
        return "AV1 4:2:0 (SVT-AV1)"

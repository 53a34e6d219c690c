"""Clips of other formats, made by PyAV, for tests of sources and sinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

UNEVEN = (0, 3000, 7000, 9000, 20000, 23003, 26003, 40000, 41500, 60000, 61000, 99999)
TICK = Fraction(1, 90000)
MS = Fraction(1, 1000)


@dataclass(frozen=True)
class Making:
    """What a clip is made of."""

    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    width: int = 64
    height: int = 48
    pts: Sequence[int] = UNEVEN
    tick: Fraction = TICK
    audio: str | None = None
    subtitle: str | None = None
    degrees: int = 0
    aspect: Fraction = Fraction(1)
    range: int = 1
    matrix: int = 1
    options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)


def picture(i: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 smooth colours that move, of middle brightness."""
    y, x = np.mgrid[:height, :width]
    planes = [np.sin(x / 9 + i / 3), np.cos(y / 7 - i / 5), np.sin((x + y) / 11 + i / 7)]
    return (128 + 60 * np.stack(planes, 2)).astype(np.uint8)


def make(path: Path, making: Making = Making()) -> Path:
    height, width, m = making.height, making.width, making
    with av.open(str(path), "w", container_options=m.container_options) as container:
        video = container.add_stream(m.codec, rate=Fraction(30))
        video.width, video.height, video.pix_fmt = width, height, m.pixel_format
        video.options = {"crf": "18", **m.options} if m.codec == "libx264" else m.options
        video.codec_context.time_base = m.tick
        video.codec_context.sample_aspect_ratio = m.aspect
        video.codec_context.color_range, video.codec_context.colorspace = m.range, m.matrix
        video.codec_context.color_primaries = video.codec_context.color_trc = m.matrix
        if m.degrees:
            video.set_display_rotation(m.degrees)
        sound = container.add_stream(m.audio, rate=48000) if m.audio else None
        if sound:
            sound.layout = "stereo"
            sound.metadata["language"] = "deu"
        text = (
            container.add_mux_stream(m.subtitle, time_base=Fraction(1, 1000))
            if m.subtitle
            else None
        )
        if text:
            text.metadata["language"] = "fra"
        for i, pts in enumerate(m.pts):
            frame = av.VideoFrame.from_ndarray(picture(i, height, width), "rgb24")
            frame = frame.reformat(
                format=m.pixel_format, dst_colorspace=m.matrix, dst_color_range=m.range
            )
            frame.pts, frame.time_base = pts, m.tick
            container.mux(video.encode(frame))
            if text and i % 4 == 0:
                container.mux(
                    packet(text, i, b"\x00\x05hello" if m.subtitle == "mov_text" else b"hello")
                )
        for i in range(round(m.pts[-1] * m.tick * 48000 / 1024) + 1 if sound else 0):
            noise = np.random.default_rng(i).normal(0, 0.1, (2, 1024)).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(noise, "fltp", "stereo")
            samples.sample_rate, samples.pts, samples.time_base = (
                48000,
                i * 1024,
                Fraction(1, 48000),
            )
            container.mux(sound.encode(samples))
        container.mux(video.encode(None))
        if sound:
            container.mux(sound.encode(None))
    return path


def packet(stream: object, i: int, data: bytes) -> av.Packet:
    made = av.Packet(data)
    made.stream, made.time_base = stream, Fraction(1, 1000)
    made.pts = made.dts = i * 100
    made.duration, made.is_keyframe = 90, True
    return made


def packets(path: Path, kinds: Sequence[str] = ("audio", "subtitle")) -> list[tuple[object, ...]]:
    """Of the other streams, as PyAV reads them: type, time, duration, bytes."""
    found = []
    with av.open(str(path)) as container:
        for p in container.demux():
            if p.size and p.stream.type in kinds:
                base = p.time_base
                found.append(
                    (p.stream.type, p.pts * base, p.dts * base, p.duration * base, bytes(p))
                )
    return sorted(found)


def times(path: Path) -> list[Fraction]:
    """When pictures are shown, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def planes(path: Path) -> list[list[np.ndarray]]:
    """Of every picture, as PyAV reads them."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            deep = "16" in frame.format.name or "10" in frame.format.name
            kind = np.uint16 if deep else np.uint8
            found.append(
                [
                    np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width].copy()
                    for p in frame.planes
                ]
            )
    return found

"""Converts frames of FFmpeg to pixels and back; ycbcr.py converts the colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from nacre.codec.clips import ycbcr
from nacre.codec.clips.facts import Pixels, Range, VideoFacts, to_depth
from nacre.entropy.errors import ImageError

PLANAR = re.compile(r"(yuv|gbr|gray)(4[0-4][0-4])?p?(9|10|12|14|16)?(le)?")
STEPS = {"410": (4, 4), "411": (4, 1), "420": (2, 2), "422": (2, 1), "440": (1, 2), "444": (1, 1)}
REPACKED = {  # formats that hold the same samples in another order
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "uyyvyy411": "yuv411p",
    "p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le",
    "p016le": "yuv420p16le", "nv20le": "yuv422p10le", "gray8": "gray", "monow": "gray", "monob": "gray",
    "ya8": "gray", "ya16le": "gray16le",
}  # fmt: skip


@dataclass(frozen=True)
class PlaneFormat:
    """A format of planes, as FFmpeg names it, and the range that the name implies."""

    name: str  # gray, gbrp or yuv4..p, and the bits where they are not 8
    range: Range = Range.UNKNOWN
    has_alpha: bool = False  # alpha is left out

    @classmethod
    def of(cls, found: av.VideoFormat) -> PlaneFormat:
        """The planar format that holds the samples of `found`. Raises ImageError."""
        name = found.name.replace("be", "le") if found.name.endswith("be") else found.name
        has_alpha = any(c.is_alpha for c in found.components) and not found.has_palette
        if name.startswith("yuvj"):
            return cls(name.replace("yuvj", "yuv"), Range.FULL)
        name = REPACKED.get(name, name.replace("yuva", "yuv").replace("gbrap", "gbrp"))
        if found.is_rgb or found.has_palette:
            bits = max(c.bits for c in found.components)
            if bits > 16 or "f32" in name or "f16" in name:
                raise ImageError(f"pixel format {found.name} is not read")
            if not name.startswith("gbrp"):
                name = "gbrp" if bits <= 8 else "gbrp16le"
        if not PLANAR.fullmatch(name):
            raise ImageError(f"pixel format {found.name} is not read")
        return cls(name, has_alpha=has_alpha)

    @property
    def is_rgb(self) -> bool:
        return self.name.startswith("gbr")

    @property
    def bits(self) -> int:
        match = PLANAR.fullmatch(self.name)
        assert match
        return int(match[3] or 8)

    @property
    def steps(self) -> tuple[int, int]:
        match = PLANAR.fullmatch(self.name)
        assert match
        return STEPS[match[2]] if match[2] else (1, 1)

    def layout(self, facts: VideoFacts) -> ycbcr.Layout:
        return ycbcr.Layout(
            self.bits, *self.steps, facts.range, facts.matrix, facts.site,
            is_grey=self.name.startswith("gray"),
        )  # fmt: skip


def planes_of(frame: av.VideoFrame, form: PlaneFormat) -> tuple[ycbcr.Plane, ...]:
    """One plane (h, w) of a grey frame, else three; transparency is left out."""
    if frame.format.name.replace("yuvj", "yuv") != form.name:
        frame = frame.reformat(format=form.name)
    return tuple(
        _samples(plane, form.bits)[: plane.height, : plane.width].copy()
        for plane in frame.planes[:3]
    )


def pixels_of(frame: av.VideoFrame, form: PlaneFormat, facts: VideoFacts) -> Pixels:
    """(H, W, 3) of 8 bits, or of 16 where the frame has more."""
    planes = planes_of(frame, form)
    if not form.is_rgb:
        return ycbcr.to_rgb(planes, form.layout(facts))
    pixels = np.stack([planes[2], planes[0], planes[1]], axis=2)
    if form.bits in (8, 16):
        return pixels
    top = (1 << form.bits) - 1
    return ((pixels.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)


def frame_of(pixels: Pixels, form: PlaneFormat, facts: VideoFacts) -> av.VideoFrame:
    """Undo `pixels_of`."""
    if form.is_rgb:
        return frame_of_planes(_rgb_planes(pixels, form.bits), form)
    return frame_of_planes(ycbcr.from_rgb(pixels, form.layout(facts)), form)


def frame_of_planes(planes: tuple[ycbcr.Plane, ...], form: PlaneFormat) -> av.VideoFrame:
    """Undo `planes_of`."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, form.name)
    for plane, samples in zip(frame.planes, planes, strict=True):
        target = _samples(plane, form.bits)
        target[: len(samples), : samples.shape[1]] = samples
    return frame


def _rgb_planes(pixels: Pixels, bits: int) -> tuple[NDArray[Any], ...]:
    if bits not in (8, 16):
        wide = to_depth(pixels, 16).astype(np.uint32)
        pixels = ((wide * ((1 << bits) - 1) + 32767) // 65535).astype(np.uint16)
    else:
        pixels = to_depth(pixels, bits)
    return pixels[..., 1], pixels[..., 2], pixels[..., 0]


def _samples(plane: av.video.plane.VideoPlane, bits: int) -> NDArray[Any]:
    """(h, line length) view of the memory of a plane, padding included."""
    memory: Any = plane
    flat = np.frombuffer(memory, np.dtype("u1" if bits == 8 else "<u2"))
    return flat.reshape(-1, plane.line_size // flat.itemsize)[: plane.height]

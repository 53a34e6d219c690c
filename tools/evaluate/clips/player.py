"""Clips coded by several codecs to about one size: frames for the player of the page, lines for its plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from PIL import Image

from nacre.tools.evaluate.clips.codec import Conditions
from nacre.tools.evaluate.clips.inputs import ClipSet
from nacre.tools.evaluate.clips.measure import codec_of, coded
from nacre.tools.evaluate.clips.reading import ClipInput, Planes, Samples
from nacre.tools.evaluate.plot import Axes, Series
from nacre.tools.evaluate.results import Evaluation, FrameFigures, Row
from nacre.tools.evaluate.side_by_side import Side, SideBySide, crop, data_url

LARGEST = (480, 320)  # pixels; width and height of the crop that is shown
MOST = 30  # frames that are shown
WEBP = {"quality": 85, "method": 4}  # its error is small beside the error of the codecs
FRAME = "frame"


def matched(found: Evaluation, clip: str) -> dict[str, Row]:
    """Return a row of each codec, by codec, of nearly equal sizes.

    The first codec sets the size: its row to which the other codecs come nearest, the larger one in a tie.
    """
    rows = {
        codec.codec: sorted((r for r in codec.rows if r.picture == clip), key=lambda r: -r.bytes)
        for codec in found.codecs
    }
    rows = {codec: own for codec, own in rows.items() if own}

    def distance(a: Row, b: Row) -> float:
        return abs(math.log(a.bytes / b.bytes))

    def nearest(target: Row) -> dict[str, Row]:
        return {key: min(own, key=lambda row: distance(target, row)) for key, own in rows.items()}

    def furthest(target: Row) -> float:
        return max(distance(target, row) for row in nearest(target).values())

    return nearest(min(next(iter(rows.values())), key=furthest)) if rows else {}


def shown_clips(found: Evaluation, clips: ClipSet, names: Sequence[str] = ()) -> list[SideBySide]:
    """The named clips, or the first one, for the player; clips that no codec can show are left out."""
    readable = [name for name in names or list(found.pictures)[:1] if name in found.pictures]
    shown = [play(found, clips, name) for name in readable]
    return [comparison for comparison in shown if comparison.sides]


def play(found: Evaluation, clips: ClipSet, name: str) -> SideBySide:
    """The middle of the first frames of a clip: the original, then each codec at about one size.

    Codecs that fail are left out; `sides` is empty when none is left.
    """
    clip = clips.named(name)
    rate = float(clip.rate)
    original = [_url(frame.pixels) for frame in islice(clip.read(), MOST)]
    size = f"{clip.facts.width}x{clip.facts.height}, {rate:.5g} frames/s"
    sides = [Side("original", size, tuple(original), ("",) * len(original))]
    conditions = Conditions(clips.gop, found.machine.threads)
    for codec, row in matched(found, name).items():
        try:
            urls = _decoded(codec, conditions, clip, row.quality)
        except Exception:  # a codec's library may raise anything; the page has its other sides
            continue
        assert isinstance(row.frames, tuple)
        label = next(c.name for c in found.codecs if c.codec == codec)
        sides.append(Side(label, _said(row), urls, tuple(map(_said_of_frame, row.frames[:MOST]))))
    width, height = crop(_image(next(clip.read()).pixels), LARGEST).size
    return SideBySide(name, width, height, tuple(sides) if len(sides) > 1 else (), rate)


def frame_plots(found: Evaluation, clip: str) -> list[tuple[str, list[Series], Axes]]:
    """Label, lines and axes of the plots over the frames of a clip, at about one size."""
    rows = matched(found, clip)
    labels = {codec.codec: codec.name for codec in found.codecs}

    def plot(label: str, value: str, is_log: bool) -> tuple[str, list[Series], Axes]:
        series = [
            Series(codec, f"{labels[codec]} at {row.quality:g}", range(len(row.frames)), ys)
            for codec, row in rows.items()
            if isinstance(row.frames, tuple)
            for ys in [[_value(frame, value) for frame in row.frames]]
        ]
        return f"{clip}: {label}", series, Axes(FRAME, label, is_y_log=is_log)

    return [plot("bits of a frame", "bits", True), plot("PSNR (YUV 6:1:1), dB", "psnr_yuv", False)]


def _value(frame: FrameFigures, name: str) -> float:
    return 8.0 * frame.bytes if name == "bits" else float(getattr(frame, name))


def _decoded(
    codec: str, conditions: Conditions, clip: ClipInput, quality: float
) -> tuple[str, ...]:
    """Encode and decode again, since measuring does not keep files."""
    made = codec_of(codec, conditions)
    with coded(made, clip, quality) as (path, _):
        return tuple(_url(_pixels(clip, x)) for x in islice(made.decode(path, clip), MOST))


def _pixels(clip: ClipInput, decoded: Planes | Samples) -> Samples:
    return clip.with_both(decoded).pixels


def _image(pixels: Samples) -> Image.Image:
    return Image.fromarray(pixels)


def _url(pixels: Samples) -> str:
    return data_url(crop(_image(pixels), LARGEST), **WEBP)


def _said(row: Row) -> str:
    size = f"{row.bytes:,} bytes, {row.bpp:.4f} bits per pixel"
    return f"quality {row.quality:g}: {size}, {row.psnr_yuv:.2f} dB (YUV)"


def _said_of_frame(frame: FrameFigures) -> str:
    return f"this frame {frame.bytes:,} bytes, {frame.psnr_yuv:.2f} dB"

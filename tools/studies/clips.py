"""Rate and distortion of clips: inter frames against first frames alone, and against x264 and x265.

    python -m nacre.tools.studies.clips CLIP... --model FILE --json FILE [--frames 32] [--qualities 20 40 60 80]

Every frame is decoded from its bytes. A GOP has --gop frames. Other codecs run through PyAV, at constant
quality; their headers count, as ours do.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from nacre.codec.clips.network_coder import NetworkGopCoder
from nacre.codec.run import Run
from nacre.entropy.errors import UsageError
from nacre.models.zoo import load_model
from nacre.tools.evaluate.bdrate import Curve, bd_rate
from nacre.tools.evaluate.metrics import psnr_db
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures
from nacre.tools.train.clip_pairs import frames_of

Frames = Sequence[NDArray[np.uint8]]
Point = dict[str, float]
FRAMING_BYTES = 8  # of a frame
CRFS = (18, 23, 28, 33, 38)
OTHERS = {
    "x264 medium zerolatency": ("libx264", {"preset": "medium", "tune": "zerolatency"}),
    "x264 medium": ("libx264", {"preset": "medium"}),
    "x265 medium": ("libx265", {"preset": "medium", "x265-params": "log-level=error"}),
}
AGAINST = "all intra"  # what BD-rates are against


def yuv(frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Planes Y (H, W), U and V (H/2, W/2) of a frame (H, W, 3) of even sides."""
    height, width = frame.shape[0], frame.shape[1]
    flat = np.asarray(
        av.VideoFrame.from_ndarray(frame, "rgb24").to_ndarray(format="yuv420p"), np.uint8
    )
    y, rest = flat[:height], flat[height:].reshape(2, height // 2, width // 2)
    return y, rest[0], rest[1]


def quality(frames: Frames, decoded: Frames) -> Point:
    """Means over frames: PSNR of RGB, and (6 Y + U + V) / 8."""
    rgb = [psnr_db(a, b) for a, b in zip(frames, decoded, strict=True)]
    of_planes = [
        [psnr_db(a, b) for a, b in zip(yuv(one), yuv(other), strict=True)]
        for one, other in zip(frames, decoded, strict=True)
    ]
    y, u, v = np.array(of_planes).mean(0)
    return {"psnr_rgb_db": float(np.mean(rgb)), "psnr_yuv_db": float((6 * y + u + v) / 8)}


def ours(model: Path, frames: Frames, quality_: int, gop: int, effort: int) -> Point:
    """Bits and distortion of a clip in groups of `gop` frames; one is all intra."""
    height, width = frames[0].shape[:2]
    run = Run(load_model(model), torch.device("cpu"))
    coder = NetworkGopCoder(run, height, width, quality_, effort)
    size, decoded, seconds = 0, [], [0.0, 0.0]
    for first in range(0, len(frames), gop):
        start = time.perf_counter()
        payloads = coder.encode_gop(frames[first : first + gop])
        middle = time.perf_counter()
        decoded += [np.asarray(found, np.uint8) for found in coder.decode_gop(payloads)]
        seconds[0] += middle - start
        seconds[1] += time.perf_counter() - middle
        size += sum(len(payload.data) + FRAMING_BYTES for payload in payloads)
    return {
        "setting": quality_,
        "bpp": 8 * size / len(frames) / height / width,
        **quality(frames, decoded),
        "encode_fps": len(frames) / seconds[0],
        "decode_fps": len(frames) / seconds[1],
    }


def other(codec: str, options: dict[str, str], frames: Frames, crf: int) -> Point:
    """The same of a codec of FFmpeg in yuv420p."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as written:
        stream = written.add_stream(codec, rate=25, options={**options, "crf": str(crf)})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        size = 0
        for frame in [*frames, None]:
            given = None if frame is None else av.VideoFrame.from_ndarray(frame, "rgb24")
            for packet in stream.encode(given):
                size += packet.size
                written.mux(packet)
    file.seek(0)
    with av.open(file, "r") as read:
        decoded = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in read.decode(video=0)]
    height, width = frames[0].shape[:2]
    bpp = 8 * size / len(frames) / height / width
    return {"setting": crf, "bpp": bpp, **quality(frames, decoded)}


def measure(
    path: Path, models: dict[str, Path], qualities: Sequence[int], count: int, gop: int, effort: int
) -> dict[str, list[Point]]:
    """The points of all codecs on one clip."""
    frames = [f[: f.shape[0] // 2 * 2, : f.shape[1] // 2 * 2] for f in frames_of(path)[:count]]
    found: dict[str, list[Point]] = {}
    for name, model in models.items():
        found[name] = [ours(model, frames, q, gop, effort) for q in qualities]
    first = next(iter(models.values()))
    found[AGAINST] = [ours(first, frames, q, 1, effort) for q in qualities]
    for name, (codec, options) in OTHERS.items():
        found[name] = [other(codec, dict(options), frames, crf) for crf in CRFS]
    return found


def bd_rates(points: dict[str, list[Point]], metric: str, against: str) -> dict[str, float | None]:
    """BD-rate of each curve in per cent against one of them; None where they do not overlap."""
    curves = {
        name: Curve.of(name, [p["bpp"] for p in of], [p[metric] for p in of])
        for name, of in points.items()
    }
    found: dict[str, float | None] = {}
    for name, curve in curves.items():
        if name != against:
            try:
                found[name] = bd_rate(curves[against], curve).value
            except UsageError:
                found[name] = None
    return found


def table(figures: Figures) -> str:
    """Markdown: BD-rate of each codec against all intra, by clip."""
    clips = figures["clips"]
    names = [name for name in next(iter(clips.values()))["points"] if name != AGAINST]
    rows = []
    for name in names:
        cells = []
        for of in clips.values():
            value = bd_rates(of["points"], "psnr_yuv_db", AGAINST).get(name)
            cells.append("-" if value is None else f"{value:+.1f} %")
        rows.append([name, *cells])
    return study.markdown([f"against {AGAINST}", *clips], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--qualities", nargs="+", type=int, default=[15, 35, 55, 75])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--gop", type=int, default=32)
    parser.add_argument("--effort", type=int, default=0)
    args = parser.parse_args(argv)
    models = {name: Path(file) for name, _, file in (m.partition("=") for m in args.model)}
    figures: Figures = {
        "conditions": study.conditions(),
        "gop": args.gop,
        "effort": args.effort,
        "clips": {},
    }
    for path in args.clips:
        points = measure(path, models, args.qualities, args.frames, args.gop, args.effort)
        figures["clips"][path.stem] = {"frames": args.frames, "points": points}
        study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

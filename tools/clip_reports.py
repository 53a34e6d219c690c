"""Clips on the command line: the reports of `info` and `verify`, and sheets of thumbnails."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nacre.entropy.errors import NacreError, UsageError
from nacre.tools import batch
from nacre.tools.clips import opened_clip

if TYPE_CHECKING:
    from PIL import Image

    from nacre.codec.clips.describe import ClipInfo
    from nacre.codec.clips.facts import VideoFacts
    from nacre.codec.clips.reader import VideoReader

MAX_NAMES = 100  # chapters in a report for people
MAX_SHOWN = 200  # characters of a text of the file
SHEET_COLUMNS, SHEET_PICTURES, SHEET_SIDE = 5, 25, 240  # pixels of the longer side of a thumbnail


def add_info_arguments(parser: ArgumentParser) -> None:
    clips = parser.add_argument_group("clips")
    clips.add_argument("--frames", action="store_true", help="print a line for each frame")
    clips.add_argument(
        "--thumbnails", metavar="SHEET.png", help="write a sheet of pictures, which are decoded"
    )
    clips.add_argument("--model", metavar="FILE", help="weights file, for --thumbnails")


def info(args: Namespace) -> int:
    from nacre.codec.clips.describe import clip_info

    if args.thumbnails and len(args.inputs) > 1:
        raise UsageError("--thumbnails: one clip wanted")

    def show(job: batch.Job) -> str:
        with batch.opened_input(job.source) as data:
            found = clip_info(data)
        if args.json:
            print(json.dumps({"file": job.source, **_plain(found, args.frames)}))
        else:
            print("\n".join(_lines(job.source, found, args.frames)))
        if args.thumbnails:
            with opened_clip(job.source, args) as clip:
                sheet(clip).save(args.thumbnails)
        return ""

    return batch.run_batch([batch.Job(name, name) for name in args.inputs], show, args)


def verify(args: Namespace) -> int:
    from nacre.codec.clips.describe import damages

    def check(job: batch.Job) -> str:
        with batch.opened_input(job.source) as data:
            found = list(damages(data, limits=batch.limits(args)))
            with opened_clip(job.source, args) as clip:
                found += [line for line in clip.parse() if line not in found]
                is_whole, frames = clip.file.is_whole, len(clip)
        if not is_whole:
            found.append(f"the file is cut: it plays to frame {frames}")
        if args.json:
            print(json.dumps({"file": job.source, "is_whole": is_whole, "remarks": found}))
        if found:
            raise NacreError(f"{'damaged' if is_whole else 'cut'}: {'; '.join(found)}")
        if not args.json:
            print(
                f"{job.source}: whole, {len(clip.file.gops)} groups, {frames} frames, every symbol read"
            )
        return ""

    return batch.run_batch([batch.Job(name, batch.STREAM) for name in args.inputs], check, args)


def sheet(clip: VideoReader) -> Image.Image:
    """A sheet of first frames of groups, evenly spread over the clip, as shown, with their times."""
    from PIL import Image, ImageDraw

    from nacre.codec.clips.facts import to_8_bits
    from nacre.entropy.errors import CorruptStream

    gops = clip.file.gops
    if not gops:
        raise NacreError("there are no frames in it")
    count = min(SHEET_PICTURES, len(gops))
    tiles = []
    for i in range(count):
        gop = i * len(gops) // count
        try:
            frame = next(clip.group(gop))
        except CorruptStream:
            continue
        picture = Image.fromarray(to_8_bits(frame.pixels)).rotate(-clip.facts.rotation, expand=True)
        picture.thumbnail((SHEET_SIDE, SHEET_SIDE))
        ImageDraw.Draw(picture).text(
            (4, 4), f"{frame.seconds:.2f} s", fill="white", stroke_width=1, stroke_fill="black"
        )
        tiles.append(picture)
    if not tiles:
        raise NacreError("no frame of it can be decoded")
    width, height = max(t.width for t in tiles), max(t.height for t in tiles)
    columns = min(SHEET_COLUMNS, len(tiles))
    page = Image.new("RGB", (width * columns, height * -(-len(tiles) // columns)))
    for i, tile in enumerate(tiles):
        page.paste(tile, (i % columns * width, i // columns * height))
    return page


def _lines(name: str, found: ClipInfo, with_frames: bool) -> Iterable[str]:
    facts = found.facts
    rate = f"{float(facts.rate):g} frames/s" if facts.rate else "no constant rate"
    yield f"{name}: clip, {facts.width}x{facts.height}, {found.frames} frames, {found.seconds:.3f} s, {rate}"
    size = f"{found.file_bytes} bytes, {found.bpp:.4f} bits per pixel of a frame"
    yield f"  {size}, quality {found.quality}, {found.bit_depth}-bit coding"
    yield f"  {found.gops} group(s) of pictures, model id {found.model_id}"
    yield f"  source: {facts.pixel_format}, {_colours(facts)}, rotation {facts.rotation}, aspect {facts.aspect}"
    for stream in found.streams:
        yield f"  {stream.kind.name.lower()}: {stream.codec} {stream.language}".rstrip()
    if facts.chapters:
        names = [printable(c.metadata.get("title", "?")) for c in facts.chapters[:MAX_NAMES]]
        names += ["..."] * (len(facts.chapters) > MAX_NAMES)
        yield f"  {len(facts.chapters)} chapter(s): {', '.join(names)}"
    for file in facts.attachments:
        size = f"{len(file.data)} bytes"
        yield f"  attached: {printable(file.name)}, {printable(file.media_type)}, {size}"
    if found.packet_bytes:
        yield f"  sound and subtitles: {found.packet_bytes} bytes"
    if not found.is_whole:
        yield "  the file is cut"
    for i, row in enumerate(found.rows if with_frames else ()):
        seconds = float(row.pts * facts.time_base)
        yield f"  frame {i}: {row.kind.name.lower()}, {seconds:.6f} s, quality {row.quality}, {row.size} bytes"


def printable(text: str) -> str:
    """The text, shortened, without characters that would control a terminal."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:MAX_SHOWN])
    return shown + "..." * (len(text) > MAX_SHOWN)


def _colours(facts: VideoFacts) -> str:
    scan = facts.scan.name.lower()
    return (
        f"{facts.range.name.lower()} range, matrix {facts.matrix}, primaries {facts.primaries}, "
        f"transfer {facts.transfer}, {scan} scan"
    )


def _plain(found: ClipInfo, with_frames: bool) -> dict[str, Any]:
    facts = found.facts
    told: dict[str, Any] = {
        "width": facts.width, "height": facts.height, "frames": found.frames, "seconds": found.seconds,
        "rate": None if facts.rate is None else str(facts.rate), "time_base": str(facts.time_base),
        "pixel_format": facts.pixel_format, "range": facts.range.name, "matrix": facts.matrix,
        "primaries": facts.primaries, "transfer": facts.transfer, "rotation": facts.rotation,
        "aspect": str(facts.aspect), "scan": facts.scan.name, "metadata": facts.metadata,
        "streams": [
            {"kind": s.kind.name, "codec": s.codec, "language": s.language, "metadata": s.metadata}
            for s in found.streams
        ],
        "chapters": [
            {
                "start": float(c.start * c.time_base), "end": float(c.end * c.time_base),
                "metadata": c.metadata,
            }
            for c in facts.chapters
        ],
        "attachments": [
            {"name": a.name, "media_type": a.media_type, "bytes": len(a.data)}
            for a in facts.attachments
        ],
        "quality": found.quality, "model_id": found.model_id, "gops": found.gops,
        "file_bytes": found.file_bytes, "frame_bytes": found.frame_bytes,
        "packet_bytes": found.packet_bytes, "annotation_bytes": found.annotation_bytes,
        "bpp": found.bpp, "is_whole": found.is_whole,
    }  # fmt: skip
    if with_frames:
        told["rows"] = [
            {
                "kind": r.kind.name, "seconds": float(r.pts * facts.time_base), "quality": r.quality,
                "bytes": r.size,
            }
            for r in found.rows
        ]  # fmt: skip
    return told

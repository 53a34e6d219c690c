"""Describe nacre files: size, quality, model, metadata, chunks. Nothing is decoded but thumbnails of clips.

nacre info photo.ncr
nacre info photo.ncr --json
nacre info clip.ncv --frames
nacre info clip.ncv --thumbnails sheet.png
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nacre import codec
from nacre.tools import batch, clip_reports, clips


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="FILE", help="nacre files, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    clip_reports.add_info_arguments(parser)
    parser.set_defaults(quiet=False, verbose=False)


def run(args: Namespace) -> int:
    if clips.is_coded(args.inputs):
        return clip_reports.info(args)

    def show(job: batch.Job) -> str:
        found = codec.info(batch.read_input(job.source))
        if args.json:
            print(json.dumps({"file": job.source, **asdict(found), "bpp": found.bpp}))
            return ""
        colour = "grey" if found.channels < 3 else "colour"
        colour += " with transparency" if found.channels % 2 == 0 else ""
        print(f"{job.source}: {found.width}x{found.height}, {found.bit_depth}-bit {colour}")
        print(
            f"  {found.file_bytes} bytes, {found.bpp:.4f} bits per pixel, quality {found.quality}"
        )
        model = f"model {found.model} ({found.model_id})" if found.model else "no model needed"
        print(f"  {model}, format version {found.format_version}")
        print(
            f"  {found.tiles} tile(s) of {found.tile}x{found.tile}, orientation {found.orientation}"
        )
        if found.cells:
            stored = ", ".join(f"{number} {mode}" for mode, number in found.cells.items())
            print(f"  cells coded without the latent: {stored}")
        for kind, size in found.metadata_bytes.items():
            print(f"  {kind}: {size} bytes")
        print("  chunks: " + ", ".join(f"{kind} {size}" for kind, size in found.chunks))
        return ""

    return batch.run_batch([batch.Job(name, name) for name in args.inputs], show, args)

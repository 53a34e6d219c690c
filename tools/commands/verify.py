"""Verify nacre files: whether they are whole, which parts are damaged, whether they can be decoded here.

nacre verify photo.ncr
nacre verify photos/ --json
nacre verify clip.ncv
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nacre.entropy.errors import NacreError
from nacre.tools import batch, clip_reports, clips
from nacre.tools.commands.encode import SUFFIX


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "inputs", nargs="+", metavar="FILE", help="nacre files, folders of them, or - for stdin"
    )
    parser.add_argument(
        "--model", metavar="FILE", help="weights file, for files of a model that is not installed"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    batch.add_limit_arguments(parser)
    parser.set_defaults(quiet=False, verbose=False)


def run(args: Namespace) -> int:
    if clips.is_coded(args.inputs):
        return clip_reports.verify(args)
    from nacre.codec.verify import verify

    def check(job: batch.Job) -> str:
        found = verify(batch.read_input(job.source), model=args.model, limits=batch.limits(args))
        if args.json:
            print(json.dumps({"file": job.source, **asdict(found)}))
        is_good = found.is_whole and not found.is_damaged and found.is_decodable
        if is_good and not args.json:
            print(f"{job.source}: whole, {len(found.chunks)} chunks, every symbol read")
        if not is_good:
            state = "damaged" if found.is_damaged else "whole" if found.is_whole else "cut"
            here = "can be decoded here" if found.is_decodable else "cannot be decoded here"
            raise NacreError(f"{state}, {here}: {'; '.join(found.remarks)}")
        return ""

    return batch.run_batch(batch.sources(args.inputs, [SUFFIX]), check, args)

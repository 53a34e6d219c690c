"""Measure a model on a folder of pictures, or on clips: encode, decode, compare with the original.

nacre eval kodak/ --json ours.json
nacre eval kodak/ --model my.safetensors --qualities 10,30,50 --timing
nacre bdrate kodak:vtm-18.0 ours.json
nacre eval clips/*.mkv --model clip.safetensors --frames 32 --json clips.json

With --json ours.json each row is also appended to ours.jsonl as it is measured. A second run measures only
the rows that are missing there, so that a run can be stopped and resumed.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from nacre.tools import batch, values
from nacre.tools.evaluate.results import table
from nacre.tools.measuring import add_measuring_arguments, exit_code, measure


def add_arguments(parser: ArgumentParser) -> None:
    add_measuring_arguments(parser)
    parser.add_argument(
        "--model",
        default="",
        metavar="M",
        help="name or weights file (default: nacre; clip for clips)",
    )
    parser.add_argument(
        "--qualities", metavar="Q,Q,...", help="of the files, 1 to 100 (default: a sweep over all)"
    )
    batch.add_network_arguments(parser)


def run(args: Namespace) -> int:
    codec = "nacre" + (f":{args.model}" if args.model else "")
    options = [f"device={args.device}"] if args.device != "cpu" else []
    options += [f"precision={args.precision}"] if args.precision != "float32" else []
    codec += "@" + ",".join(options) if options else ""
    qualities = {codec: values.qualities(args.qualities)} if args.qualities else {}
    found = measure(args, (codec,), qualities)
    print(table(found.codecs))
    return exit_code(found)

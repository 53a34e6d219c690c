"""Compare rate-distortion curves: BD-rate in per cent of bits, BD-PSNR in decibels.

nacre bdrate kodak:vtm-18.0 results.json
nacre bdrate results.json:webp results.json:nacre --method all
nacre bdrate --list kodak

A curve is a published one (SET:NAME), a JSON or JSON Lines file of `nacre bench`, a JSON file of CompressAI, or
a CSV file; FILE:CODEC selects one codec of a file. A negative BD-rate means that TEST needs fewer bits than
ANCHOR at equal quality.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from nacre.entropy.errors import UsageError
from nacre.tools.batch import say
from nacre.tools.evaluate import curves
from nacre.tools.evaluate.bdrate import METHODS
from nacre.tools.evaluate.comparison import Comparison, compare
from nacre.tools.evaluate.curves import METRICS
from nacre.tools.evaluate.spread import Spread


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("anchor", nargs="?", metavar="ANCHOR", help="the curve to compare with")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="curves to compare")
    parser.add_argument(
        "--metric", choices=METRICS, default="psnr_rgb", help="of quality (default: psnr_rgb)"
    )
    parser.add_argument(
        "--method", choices=[*METHODS, "all"], default="pchip",
        help="of interpolation between the points (default: pchip)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument(
        "--list", action="store_true", help="list the published curves, of the set ANCHOR or of all"
    )


def run(args: Namespace) -> int:
    if args.list:
        print("\n".join(curves.anchor_names(args.anchor)))
        return 0
    if args.anchor is None or not args.tests:
        raise UsageError("ANCHOR and TEST are wanted; --list names the published curves")
    anchor = curves.read(args.anchor, args.metric)
    methods = METHODS if args.method == "all" else (args.method,)
    found = [compare(anchor, curves.read(name, args.metric), methods) for name in args.tests]
    for comparison in found:
        if not args.json:
            print("\n".join(describe(comparison)))
        for remark in comparison.remarks:
            say(f"warning: {remark}")
    if args.json:
        print(json.dumps([comparison.to_json() for comparison in found], indent=2))
    return 0


def describe(found: Comparison) -> list[str]:
    """Return the lines that a comparison prints."""
    lines = [f"{found.test} against {found.anchor}"]
    for method, rate in found.rates.items():
        line = f"  {method:6} BD-rate {rate.value:+.2f} % over {rate.low:.2f} to {rate.high:.2f} dB"
        if quality := found.qualities[method]:
            line += f"; {quality.value:+.3f} dB over {quality.low:.3f} to {quality.high:.3f}"
        lines.append(line)
    return lines + (describe_spread(found.spread) if found.spread else [])


def describe_spread(found: Spread) -> list[str]:
    """Return the lines that a spread prints."""
    worst = ", ".join(f"{name} {value:+.1f} %" for name, value in found.worst)
    apart = f"; {len(found.apart)} do not overlap" if found.apart else ""
    return [
        f"  of {len(found.bd_rate)} pictures: median {found.median:+.2f} %, "
        f"quartiles {found.lower:+.2f} and {found.upper:+.2f} %{apart}",
        f"  worst: {worst}",
    ]

"""Compare rate-distortion curves: BD-rate in per cent of bits, BD-PSNR in decibels.

nacre bdrate kodak:vtm-18.0 results.json
nacre bdrate results.json:webp results.json:nacre --method all
nacre bdrate --list kodak

A curve is a published one (SET:NAME), a JSON or JSON Lines file of nacre, a JSON of CompressAI or a CSV;
FILE:CODEC picks one codec of several. A negative BD-rate means that TEST needs fewer bits than ANCHOR at equal
quality.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from nacre.entropy.errors import UsageError
from nacre.tools.evaluate import curves
from nacre.tools.evaluate.bdrate import METHODS, Curve, Delta, bd_quality, bd_rate
from nacre.tools.evaluate.curves import METRICS, Measured
from nacre.tools.evaluate.spread import Spread, spread


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("anchor", nargs="?", metavar="ANCHOR", help="the curve to compare with")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="curves to compare")
    parser.add_argument("--metric", choices=METRICS, default="psnr_rgb")
    parser.add_argument("--method", choices=[*METHODS, "all"], default="pchip")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--list", action="store_true", help="print the names of the published curves"
    )


def run(args: Namespace) -> int:
    if args.list:
        print("\n".join(curves.anchor_names(args.anchor)))
        return 0
    if args.anchor is None or not args.tests:
        raise UsageError("ANCHOR and TEST are wanted; --list names the published curves")
    anchor = curves.read(args.anchor, args.metric)
    methods = METHODS if args.method == "all" else (args.method,)
    found = [
        compare(anchor, curves.read(name, args.metric), methods, args.json) for name in args.tests
    ]
    if args.json:
        print(json.dumps(found, indent=2))
    return 0


def compare(
    anchor: Measured, test: Measured, methods: tuple[str, ...], is_quiet: bool
) -> dict[str, object]:
    """Return all figures of a pair as JSON values; print them as text unless `is_quiet`."""
    a, b = anchor.curve, test.curve
    result: dict[str, object] = {"anchor": a.name, "test": b.name}
    remarks: list[str] = []
    if a.dataset and b.dataset and a.dataset != b.dataset:
        remarks.append(f"the sets differ: {a.dataset} and {b.dataset}")
    lines = [f"{b.name} against {a.name}"]
    for method in methods:
        rate, quality = bd_rate(a, b, method), _bd_quality(a, b, method)
        result[method] = {
            "bd_rate": asdict(rate),
            "bd_quality": asdict(quality) if quality else None,
        }
        lines.append(
            f"  {method:6} BD-rate {rate.value:+.2f} % over {rate.low:.2f} to {rate.high:.2f} dB"
        )
        if quality:
            lines[-1] += f"; {quality.value:+.3f} dB over {quality.low:.3f} to {quality.high:.3f}"
        found_remarks = (*rate.remarks, *(quality.remarks if quality else ("no rate in common",)))
        remarks += [r for r in found_remarks if r not in remarks]
    found = spread(anchor, test, methods[0])
    if found is not None:
        result["pictures"] = asdict(found)
        lines += describe(found)
    if not is_quiet:
        print("\n".join(lines))
    for remark in remarks:
        print(f"nacre: warning: {remark}", file=sys.stderr)
    return result


def _bd_quality(anchor: Curve, test: Curve, method: str) -> Delta | None:
    """Return None where the curves share qualities but no rate."""
    try:
        return bd_quality(anchor, test, method)
    except UsageError:
        return None


def describe(found: Spread) -> list[str]:
    """Return the lines that a spread prints."""
    worst = ", ".join(f"{name} {value:+.1f} %" for name, value in found.worst)
    apart = f"; {len(found.apart)} do not overlap" if found.apart else ""
    return [
        f"  of {len(found.bd_rate)} pictures: median {found.median:+.2f} %, "
        f"quartiles {found.lower:+.2f} and {found.upper:+.2f} %{apart}",
        f"  worst: {worst}",
    ]

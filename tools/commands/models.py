"""List, add and remove the models of this installation.

nacre models
nacre models --json
nacre models --families
nacre models add weights.safetensors
nacre models add https://example.org/wavelet.safetensors --sha256 1a2b...
nacre models remove wavelet

Models are added to a folder of the user; the environment variable NACRE_MODELS names another folder.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from nacre.entropy.errors import UsageError
from nacre.models import zoo


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "add", "remove"),
        default="list",
        help="what to do (default: list)",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE_OR_URL",
        help="weights file to add, or the name of a model to remove",
    )
    parser.add_argument(
        "--families", action="store_true", help="list the architectures that can be trained"
    )
    parser.add_argument(
        "--sha256", metavar="HASH", help="refuse to add a file with another SHA-256"
    )
    parser.add_argument("--name", help="add the model under that name, instead of its own")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a JSON list: the card of each model, or each family",
    )


def run(args: Namespace) -> int:
    if (args.action == "list") == bool(args.source):
        raise UsageError(
            "wanted: nacre models, nacre models add FILE_OR_URL or nacre models remove NAME"
        )
    if args.families:
        return _families(args.json)
    if args.action == "list":
        return _list(args.json)
    from nacre.models import install

    if args.action == "remove":
        install.remove(args.source)
        print(f"removed {args.source}")
    else:
        name = install.add(args.source, args.sha256, args.name)
        print(f"added {name} ({zoo.card(name)['sha256'][:16]})")
    return 0


def _list(as_json: bool) -> int:
    cards = [{"name": name, **zoo.card(name)} for name in zoo.names()]
    if as_json:
        print(json.dumps(cards, indent=2))
        return 0
    print(
        f"{'name':12} {'family':10} {'parameters':>12} {'kMAC/px encode':>15} {'decode':>7} {'turns':>6}  "
        "weights (SHA-256)"
    )
    for card in cards:
        cost = card.get("kmac_per_pixel", {})
        print(
            f"{card['name']:12} {card.get('family', '-'):10} {card.get('parameters', 0):>12,} "
            f"{cost.get('encode', '-'):>15} {cost.get('decode', '-'):>7} {card.get('turns', '-'):>6}  "
            f"{card['sha256'][:16]}"
        )
    return 0


def _families(as_json: bool) -> int:
    from nacre.models import catalogue

    found = catalogue.rows()
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(
        f"{'family':12} {'system':20} {'parameters':>12} {'kMAC/px encode':>15} {'decode':>7} {'turns':>6}  "
        "paper"
    )
    for row in found:
        cost = row["kmac_per_pixel"]
        print(
            f"{row['family']:12} {row['system']:20} {row['parameters']:>12,} {cost.get('encode', '-'):>15} "
            f"{cost.get('decode', '-'):>7} {row['turns']:>6}  {row['paper']}"
        )
    return 0

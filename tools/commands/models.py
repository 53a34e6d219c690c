"""List the models of this installation.

nacre models
nacre models --json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from nacre.models import zoo


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="a JSON list, with the whole card of each model"
    )


def run(args: Namespace) -> int:
    cards = [{"name": name, **zoo.card(name)} for name in zoo.names()]
    if args.json:
        print(json.dumps(cards, indent=2))
        return 0
    print(
        f"{'name':12} {'parameters':>12} {'kMAC/px encode':>15} {'decode':>7} {'steps':>6}  weights (SHA-256)"
    )
    for card in cards:
        cost = card["kmac_per_pixel"]
        print(
            f"{card['name']:12} {card['parameters']:>12,} {cost['encode']:>15} {cost['decode']:>7} "
            f"{card['sequential_steps']:>6}  {card['sha256'][:16]}"
        )
    return 0

"""List, add and remove the models of this installation.

nacre models
nacre models --json
nacre models --families
nacre models add weights.safetensors
nacre models add https://example.org/wavelet.safetensors --sha256 1a2b...
nacre models remove wavelet
nacre models import compressai:mbt2018-mean mbt2018-mean-4.pth.tar -o mbt2018-mean-4.safetensors

Models are added to a folder of the user; the environment variable NACRE_MODELS names another folder. An import
writes a weights file from a checkpoint of CompressAI: bmshj2018-factorized, bmshj2018-hyperprior, mbt2018-mean.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.models import zoo

MOST_LAMBDA = 1000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "add", "remove", "import"),
        default="list",
        help="what to do (default: list)",
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE_OR_URL",
        help="weights file to add, the name of a model to remove, or compressai:ARCHITECTURE to import",
    )
    parser.add_argument(
        "checkpoint", nargs="?", type=Path, help="to import: a .pth or .pth.tar file"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="of an import: the .safetensors file"
    )
    parser.add_argument(
        "--lambda", dest="lmbda", type=float, metavar="L",
        help="of an import: bits per pixel for a squared level of error, as trained (default: estimated)",
    )  # fmt: skip
    parser.add_argument(
        "--pictures", type=Path, nargs="+", default=[], metavar="PATH",
        help="of an import: to calibrate integers on, files or folders (default: a photograph, rendered pages)",
    )  # fmt: skip
    parser.add_argument("-f", "--force", action="store_true", help="overwrite outputs that exist")
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
    is_import = args.action == "import"
    has_import_options = args.checkpoint or args.output or args.lmbda is not None or args.pictures
    if (args.action == "list") == bool(args.source) or (has_import_options and not is_import):
        raise UsageError(
            "wanted: nacre models, nacre models add FILE_OR_URL, nacre models remove NAME or "
            "nacre models import compressai:ARCHITECTURE CHECKPOINT -o FILE"
        )
    if is_import:
        return _import(args)
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


def _import(args: Namespace) -> int:
    project, _, architecture = args.source.partition(":")
    if project != "compressai" or args.checkpoint is None or args.output is None:
        raise UsageError("wanted: nacre models import compressai:ARCHITECTURE CHECKPOINT -o FILE")
    if args.lmbda is not None and not 0 < args.lmbda < MOST_LAMBDA:
        raise UsageError(f"--lambda {args.lmbda:g}: a number over 0 and under {MOST_LAMBDA} wanted")
    for path in (args.output, args.output.with_suffix(zoo.CARD_SUFFIX)):
        if path.exists() and not args.force:
            raise UsageError(f"{path} exists; --force overwrites it")
    from nacre.tools.importing.convert import import_model

    name = args.name or architecture
    print(import_model(architecture, args.checkpoint, args.output, name, args.lmbda, args.pictures))
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

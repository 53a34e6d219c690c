"""Export a trained run as a weights file for coding, with exact scales, fitted tables and a model card.

    nacre export runs/my -o my.safetensors
    nacre export runs/my -o my.safetensors --average before.safetensors=0.4
    nacre encode photo.jpg --model my.safetensors

The tables are fitted on the training pictures of the recipe. The rate lost by the integer scale network
and the rate saved by the tables are measured on the held-out pictures.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nacre.entropy.errors import NacreError


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "run_folder", type=Path, metavar="RUN", help="a folder that `nacre train` wrote"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the .safetensors file to write",
    )
    parser.add_argument("--name", default="nacre", help="of the model (default: nacre)")
    parser.add_argument(
        "--pictures",
        type=int,
        default=40,
        metavar="N",
        help="pictures to fit the tables on (default: 40)",
    )
    parser.add_argument(
        "--average", type=_share, action="append", default=[], metavar="FILE=SHARE",
        help="average the run with the weights of a checkpoint or model; may be repeated",
    )  # fmt: skip
    parser.add_argument("-f", "--force", action="store_true", help="overwrite outputs that exist")


def run(args: Namespace) -> int:
    for path in (args.output, args.output.with_suffix(".json")):
        if path.exists() and not args.force:
            raise NacreError(f"{path} exists; --force overwrites it")
    from nacre.tools.export.export import export_run

    print(export_run(args.run_folder, args.output, args.name, args.pictures, args.average))
    return 0


def _share(text: str) -> tuple[Path, float]:
    """FILE=SHARE; raises ValueError, which argparse reports."""
    path, _, share = text.rpartition("=")
    if not path:
        raise ValueError("FILE=SHARE wanted")
    return Path(path), float(share)

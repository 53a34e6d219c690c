"""Train a model on pictures, with the settings of a recipe. A run can be interrupted and resumed.

    nacre train my.toml -o runs/my --time-limit 150m
    nacre train my.toml -o runs/my --fall 2000         # finish: decay the learning rate to zero
    nacre train my.toml -o runs/my --time-limit 150m --fall 90m    # both in one run
    torchrun --nproc-per-node 4 -m nacre train my.toml -o runs/my --device cuda

The folder of a run holds its checkpoint, log.csv, held-out.csv and decoded pictures. Training resumes from the
checkpoint if there is one.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nacre.entropy.errors import UsageError
from nacre.tools import values


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "recipe", type=Path, metavar="RECIPE", help="a TOML file; see docs/training.md"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="folder of the run (default: runs/NAME)"
    )
    parser.add_argument(
        "--time-limit", metavar="TIME", help="save and stop after 90s, 150m, 1.5h, ..."
    )
    parser.add_argument("--steps", type=int, metavar="N", help="save and stop after N steps")
    parser.add_argument(
        "--fall",
        metavar="STEPS",
        help="decay the learning rate to zero over the next STEPS steps, or, as in 6m, "
        "over the last minutes of --time-limit",
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="start from the weights of a checkpoint or a model",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--precision", choices=["auto", "float32", "bfloat16"], default="auto",
        help="of the networks (default: auto, bfloat16 if the hardware has it)",
    )  # fmt: skip
    parser.add_argument(
        "--compile", action="store_true",
        help="compile the blocks of the networks: a minute at the start, faster steps on a GPU",
    )  # fmt: skip
    parser.add_argument(
        "-j", "--threads", type=int, metavar="N", help="CPU threads (default: all cores)"
    )


def run(args: Namespace) -> int:
    from nacre.tools.train.recipe import read_recipe

    recipe = read_recipe(args.recipe)
    limit = values.seconds(args.time_limit, "--time-limit") if args.time_limit else None
    in_steps = args.fall is None or args.fall.isdigit()
    if not in_steps and limit is None:
        raise UsageError(f"--fall {args.fall} is a time: it wants --time-limit")
    import torch

    from nacre.tools.train.clip_trainer import ClipTrainer
    from nacre.tools.train.distil import DistilTrainer
    from nacre.tools.train.distributed import placed
    from nacre.tools.train.trainer import Options, Trainer

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    options = Options(
        folder=args.output or Path("runs") / recipe.name,
        time_limit_seconds=limit,
        step_limit=args.steps,
        init=args.init,
        fall_steps=int(args.fall) if args.fall and in_steps else None,
        fall_seconds=None if in_steps else values.seconds(args.fall, "--fall"),
        compile=args.compile,
        say=lambda line: print(line, flush=True),
    )
    with placed(args.device, args.precision) as place:
        kind = DistilTrainer if recipe.objective.distil else Trainer
        (ClipTrainer if recipe.data.clips else kind)(recipe, options, place).run()
    return 0

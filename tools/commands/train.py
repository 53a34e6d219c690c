"""Train a model on pictures with the settings of a recipe; every run can be interrupted and resumed.

    nacre train my.toml -o runs/my --time-limit 150m
    nacre train my.toml -o runs/my --fall 2000         (finish: decay the learning rate to zero)
    torchrun --nproc-per-node 4 -m nacre train my.toml -o runs/my --device cuda

The folder of a run holds its checkpoint, log.csv, held-out.csv and the decoded pictures. If it has a
checkpoint, training resumes from it.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from nacre.entropy.errors import UsageError

UNITS = {"s": 1, "m": 60, "h": 3600}


def duration(text: str) -> float:
    """Seconds of "90s", "150m" or "1.5h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match:
        raise ArgumentTypeError(f"{text!r} is no time: 90s, 150m or 1.5h wanted")
    return float(match[1]) * UNITS[match[2]]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="a TOML file; see docs/training.md")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="folder of the run (default: runs/NAME)"
    )
    parser.add_argument(
        "--time-limit", type=duration, metavar="TIME", help="end cleanly after 90s, 150m, 1.5h, ..."
    )
    parser.add_argument("--steps", type=int, metavar="N", help="end cleanly after N steps")
    parser.add_argument(
        "--fall",
        type=int,
        metavar="STEPS",
        help="decay the learning rate to zero over the next STEPS steps",
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
        help="of the networks (default: bfloat16 if the hardware has it)",
    )  # fmt: skip
    parser.add_argument(
        "-j", "--threads", type=int, metavar="N", help="CPU threads (default: all cores)"
    )


def run(args: Namespace) -> int:
    from nacre.tools.train.recipe import read_recipe

    recipe = read_recipe(args.recipe)
    import torch

    from nacre.tools.train.trainer import Options, Trainer

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    options = Options(
        folder=args.output or Path("runs") / recipe.name,
        time_limit_seconds=args.time_limit,
        step_limit=args.steps,
        init=args.init,
        fall_steps=args.fall,
        say=lambda line: print(line, flush=True),
    )
    place = _place(args.device, args.precision)
    try:
        Trainer(recipe, options, place).run()
    finally:
        if place.processes > 1:
            torch.distributed.destroy_process_group()
    return 0


def _place(device: str, precision: str):  # type: ignore[no-untyped-def]
    """The place of this process: alone, or one of the processes that torchrun started."""
    import torch

    from nacre.tools.train.trainer import Place

    processes, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("no CUDA device here")
    if device == "cuda" and processes > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.set_device(place)
        has_bfloat16 = torch.cuda.is_bf16_supported()
    else:  # bfloat16 also runs without the instructions, twenty times slower
        has_bfloat16 = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    if processes > 1:
        torch.distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    use_bfloat16 = precision == "bfloat16" or (precision == "auto" and has_bfloat16)
    return Place(place, rank, processes, use_bfloat16)

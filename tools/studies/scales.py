"""Measure the cost of exact scales: bits with scales from the context, as published, and from integers.

    python -m nacre.tools.studies.scales RECIPE --folder FOLDER --json FILE [--minutes 3] [--only FAMILY ...]

A small configuration of each family is trained once with both kinds of scales: its context gives means and
scales, and a scale network learns beside it from the symbols. Bits of held-out pictures are estimated with the
scales of the context, of the scale network, and of the scale network in exact integers. RECIPE names the
pictures. Minutes are processor time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nacre.datasets.crops import Crops
from nacre.datasets.memory import open_store, store_of
from nacre.entropy.walk import Planes, Step, drive, walk
from nacre.models import family as families
from nacre.models.parts.hyperprior import HyperpriorNetwork
from nacre.models.parts.priors import TrainingPrior
from nacre.models.parts.rate import estimated_bits, scale_of, straight_through
from nacre.models.parts.rows import LOG2_MIN, ROW_STEP
from nacre.models.parts.scales import (
    MAX_MAGNITUDE,
    IntegerScales,
    ScaleNet,
    ScaleShape,
    quantise,
    watch,
)
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures
from nacre.tools.train.held_out import middles
from nacre.tools.train.loss import LEVELS, relative_loss, weighted_loss
from nacre.tools.train.recipe import read_recipe

BATCH, CROP, LEARNING_RATE, HELD_OUT = 4, 128, 1e-3, 8
SCALE_WIDTH = 64  # of the scale network, in proportion to the small configurations
EVALUATED_T = (0.1, 0.4, 0.7, 1.0)
WAYS = ("context", "network", "integers")  # where scales come from
COMMON = {"hyper": 32, "knots": 4}
SMALL: dict[str, Mapping[str, Any]] = {
    "elic": {
        **COMMON, "width": 32, "latent": 64, "blocks": 1, "group1": 8, "group2": 8, "group3": 8, "group4": 16,
        "hyper_width32": 32, "hyper_width16": 32, "features": 64, "context_width1": 32,
        "context_width2": 32,
    },
    "mlic": {**COMMON, "width": 32, "latent": 64, "slices": 4},
    "hpcm": {
        **COMMON, "width2": 16, "width4": 32, "width8": 48, "latent": 64, "hyper_width": 32, "blocks2": 1,
        "blocks4": 1, "blocks8": 1, "hyper_blocks": 1, "coarse_blocks": 1, "fine_blocks": 1, "heads": 8,
    },
    "s2lic": {
        **COMMON, "latent": 64, "width": 16, "depth2": 1, "depth4": 1, "depth8": 1, "heads2": 1, "heads4": 2,
        "heads8": 4, "window": 4, "enhancement": 8, "growth": 4, "slices": 4, "head_width": 8,
        "local_depth": 2,
    },
    "segpic": {
        **COMMON, "width": 32, "last_width": 32, "latent": 64, "heads": 4, "slices": 4, "support": 4,
        "context_width": 56,
    },
}  # fmt: skip


@dataclass
class _Seen:
    """One walk: for each turn of y, the coded differences and log2 of the scale by each way."""

    difference: list[Tensor]
    where: list[Tensor]
    log2_scale: dict[str, list[Tensor]]

    def bits(self, way: str, hard: bool) -> Tensor:
        """(B,) bits of y."""
        each = zip(self.difference, self.where, self.log2_scale[way], strict=True)
        return sum(
            (estimated_bits(d, scale_of(s), hard) * where).sum((1, 2, 3)) for d, where, s in each
        )  # type: ignore[return-value]


def coded(
    model: HyperpriorNetwork,
    net: ScaleNet,
    x: Tensor,
    t: Tensor,
    exact: IntegerScales | None = None,
) -> tuple[Tensor, Tensor, _Seen]:
    """The decoded pictures, the bits of z, and the record of y."""
    planes = model.complete(model.analyse(model.prepare(x), t), t)
    prior = TrainingPrior(model, {name: plane.shape for name, plane in planes.items()}, t)
    seen, symbols = _Seen([], [], {way: [] for way in WAYS}), torch.zeros_like(planes["y"])
    hyper: dict[str, Tensor] = {}
    bits_z = torch.zeros(len(x))

    def answer(step: Step) -> Tensor:
        nonlocal bits_z, symbols
        difference = step.of(planes) - step.mean
        whole = straight_through(difference)
        if step.number == 0:
            bits_z = estimated_bits(difference, scale_of(step.rows), exact is not None).sum(
                (1, 2, 3)
            )
            hyper["network"] = prior.cropped(net.hyper(whole))
            if exact is not None:
                hyper["integers"] = prior.cropped(exact.hyper(whole[0]))
            return whole
        magnitudes = symbols.detach().round().abs().clamp(max=MAX_MAGNITUDE)
        seen.difference.append(difference)
        seen.where.append(step.where)
        seen.log2_scale["context"].append(step.rows)
        seen.log2_scale["network"].append(net(hyper["network"], magnitudes, step.number - 1))
        if exact is not None:
            rows = exact.rows(hyper["integers"], magnitudes[0], step.number - 1)[None]
            seen.log2_scale["integers"].append(LOG2_MIN + ROW_STEP * rows.float())
        held: Planes = {"y": symbols}
        step.put(held, whole.detach())
        symbols = held["y"]
        return whole

    known = drive(walk(prior, x.device), answer)
    return model.synthesise(prior.shown(known), t), bits_z, seen


def trained(name: str, crops: Crops, seconds: float) -> tuple[HyperpriorNetwork, ScaleNet, int]:
    """A small network of a family, the scale network trained beside it, and the number of steps."""
    torch.manual_seed(0)
    family = families.find(name)
    model = family.build(family.configure({**SMALL[name], "float_scales": True}))
    assert isinstance(model, HyperpriorNetwork)
    net = ScaleNet(ScaleShape.of(model.means.turns, model.config.hyper, SCALE_WIDTH))
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *net.parameters()], LEARNING_RATE, weight_decay=0.0
    )
    start, steps = time.process_time(), 0
    while (share := (time.process_time() - start) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min((steps + 1) / 50, 1 - share)
        x = crops.cut(crops.draw(BATCH, CROP), CROP)
        t = (torch.arange(BATCH) + torch.rand(BATCH, generator=crops.rng)) / BATCH
        x_hat, bits_z, seen = coded(model, net, x, t)
        # Means and transforms learn from the mean of both rates; each kind of scales from its own rate.
        bits = bits_z + (seen.bits("context", False) + seen.bits("network", False)) / 2
        mse = (x_hat - x).square().mean((1, 2, 3)) * LEVELS**2
        loss = relative_loss(weighted_loss(bits / CROP**2, mse, model.lmbda(t))).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([*model.parameters(), *net.parameters()], 1.0)
        if bool(torch.isfinite(norm)):
            optimiser.step()
        steps += 1
    return model.eval(), net.eval(), steps


@torch.inference_mode()
def measured(model: HyperpriorNetwork, net: ScaleNet, pictures: Tensor) -> dict[str, list[float]]:
    """Bits of y and z with each way, summed over the pictures, at each of EVALUATED_T."""
    watching = watch(net)
    for x in pictures.split(1):
        for value in EVALUATED_T:
            coded(model, net, x, torch.tensor([value]))
    exact = quantise(net, watching.close())
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for value in EVALUATED_T:
        sums = dict.fromkeys(WAYS, 0.0)
        for x in pictures.split(1):
            _, bits_z, seen = coded(model, net, x, torch.tensor([value]), exact)
            for way in WAYS:
                sums[way] += float(bits_z + seen.bits(way, True))
        for way in WAYS:
            found[way].append(sums[way])
    return found


def table(figures: Figures) -> str:
    """Markdown: bits against the scales of the context, mean over the qualities."""

    def change(row: Figures, way: str) -> str:
        pairs = list(zip(row["bits"][way], row["bits"]["context"], strict=True))
        return f"{sum(bits / base for bits, base in pairs) / len(pairs) - 1:+.2%}"

    rows = [
        [name, change(row, "network"), change(row, "integers"), str(row["steps"])]
        for name, row in figures["families"].items()
    ]
    return study.markdown(["family", "scale network", "in integers", "steps"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("recipe", type=Path, metavar="RECIPE")
    parser.add_argument("--folder", type=Path, required=True, help="for the pictures")
    parser.add_argument("--minutes", type=float, default=3.0, help="for each family (default: 3)")
    parser.add_argument(
        "--only", nargs="+", choices=list(SMALL), default=list(SMALL), metavar="FAMILY"
    )
    args = parser.parse_args(argv)
    recipe = read_recipe(args.recipe)
    store = open_store(recipe.data.pictures, CROP, args.folder)
    held_out = middles(open_store(recipe.data.held_out, 256, args.folder))[:HELD_OUT]
    figures: Figures = {
        "conditions": study.conditions(), "minutes": args.minutes, "t": list(EVALUATED_T), "families": {}
    }  # fmt: skip
    for name in args.only:
        model, net, steps = trained(name, Crops(store, store_of([]), seed=0), 60 * args.minutes)
        figures["families"][name] = {"steps": steps, "bits": measured(model, net, held_out)}
        print(f"{name}: {steps} steps", flush=True)
        study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

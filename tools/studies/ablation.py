"""What the magnitudes of decoded symbols are worth to the scale network.

The scale network alone is trained further, from the same weights, once as it is and once blind to
magnitudes; everything else stays as it was, so reconstructions are equal and the rates compare.

    python -m nacre.tools.ablation runs/nacre --minutes 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nacre.datasets.crops import Crops
from nacre.datasets.memory import open_store, store_of
from nacre.models.nacre.network import NacreNetwork
from nacre.models.nacre.scales import ScaleNet
from nacre.tools.train.checkpoint import FILE, Checkpoint
from nacre.tools.train.held_out import middles
from nacre.tools.train.recipe import Recipe

BATCH, CROP, LEARNING_RATE = 8, 192, 3e-4
EVALUATED_T = (0.1, 0.3, 0.5, 0.7)


class BlindScaleNet(ScaleNet):
    """A scale network that sees zeros in place of magnitudes."""

    def forward(self, hyper: Tensor, magnitudes: Tensor, step: int) -> Tensor:
        return super().forward(hyper, torch.zeros_like(magnitudes), step)


def load(found: Checkpoint, recipe: Recipe, blind: bool) -> NacreNetwork:
    model = NacreNetwork(recipe.model.config)
    if blind:
        model.scales = BlindScaleNet(recipe.model.config)
    model.load_state_dict(found.ema)
    model.requires_grad_(False)
    model.scales.requires_grad_(True)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train(model: NacreNetwork, crops: Crops, seconds: float) -> int:
    """Adam on the bits of y, the rate falling to zero over the time; returns the steps made."""
    optimiser = torch.optim.Adam(model.scales.parameters(), LEARNING_RATE)
    start, steps = time.monotonic(), 0
    while (share := (time.monotonic() - start) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - share)
        x = crops.cut(crops.draw(BATCH, CROP), CROP)
        bits = model(x, torch.rand(BATCH), hard=True).bits_of["y"]
        optimiser.zero_grad(set_to_none=True)
        (bits.mean() / CROP**2).backward()
        optimiser.step()
        steps += 1
    return steps


@torch.inference_mode()
def bits(model: NacreNetwork, held_out: Tensor) -> list[float]:
    """Bits of everything, summed over the held-out pictures, at each quality."""
    return [
        sum(float(model(x, torch.tensor([t]), hard=True).bits) for x in held_out.split(1))
        for t in EVALUATED_T
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="of training for each of the two"
    )
    args = parser.parse_args(argv)
    found = Checkpoint.load(args.run / FILE)
    recipe = Recipe.from_json(found.recipe)
    photos = open_store(recipe.data.pictures, recipe.steps.crop, args.run)
    held_out = middles(open_store(recipe.data.held_out, 256, args.run))
    results = {}
    for name, blind in (("with magnitudes", False), ("without", True)):
        torch.manual_seed(0)
        model = load(found, recipe, blind)
        steps = train(model, Crops(photos, store_of([]), seed=0), 60 * args.minutes)
        results[name] = bits(model, held_out)
        print(f"{name}: {steps} steps")
    changes = [b / a - 1 for a, b in zip(*results.values(), strict=True)]
    for t, change in zip(EVALUATED_T, changes, strict=True):
        print(f"t {t}: without magnitudes {change:+.2%} bits, at equal pixels")
    print(f"mean, which is the BD-rate as pixels are equal: {sum(changes) / len(changes):+.2%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

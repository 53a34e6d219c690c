"""Measure the rate that the magnitudes of decoded symbols save in the scale network.

    python -m nacre.tools.studies.ablation RUN --json FILE [--minutes 5]

RUN is a folder that `nacre train` wrote. Starting from the weights of the run, the scale network is trained
further, once with magnitudes and once with zeros in their place. All other weights are fixed, so the
reconstructions are equal and the rates comparable.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nacre.datasets.crops import Crops
from nacre.datasets.memory import open_store, store_of
from nacre.models.nacre.network import NacreNetwork
from nacre.models.parts.scales import ScaleNet
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures
from nacre.tools.train.checkpoint import FILE, Checkpoint
from nacre.tools.train.held_out import middles
from nacre.tools.train.recipe import Recipe

BATCH, CROP, LEARNING_RATE = 8, 192, 3e-4
HELD_OUT_SIDE = 256  # pixels
EVALUATED_T = (0.1, 0.3, 0.5, 0.7)  # qualities as the networks know them, in [0, 1]


class BlindScaleNet(ScaleNet):
    """A scale network that sees zeros in place of magnitudes."""

    def forward(
        self, hyper: Tensor, magnitudes: Tensor, turn: int, beside: Tensor | None = None
    ) -> Tensor:
        return super().forward(hyper, torch.zeros_like(magnitudes), turn, beside)


def scales_of(model: NacreNetwork) -> ScaleNet:
    assert model.scales is not None
    return model.scales


def load(found: Checkpoint, recipe: Recipe, is_blind: bool) -> NacreNetwork:
    """The network with the averaged weights of a run; only its scale network is trainable."""
    model = NacreNetwork(recipe.model.config)
    if is_blind:
        model.scales = BlindScaleNet(scales_of(model).shape)
    model.load_state_dict(found.ema)
    model.requires_grad_(False)
    scales_of(model).requires_grad_(True)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train(model: NacreNetwork, crops: Crops, seconds: float) -> int:
    """Minimise the bits of y with Adam, the learning rate decaying to zero; return the number of steps."""
    optimiser = torch.optim.Adam(scales_of(model).parameters(), LEARNING_RATE)
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
    """Bits of y and z, summed over the held-out pictures, at each of EVALUATED_T."""
    return [
        sum(float(model(x, torch.tensor([t]), hard=True).bits) for x in held_out.split(1))
        for t in EVALUATED_T
    ]


def measure(run: Path, minutes: float) -> Figures:
    """Steps and bits of both networks."""
    found = Checkpoint.load(run / FILE)
    recipe = Recipe.from_json(found.recipe)
    photos = open_store(recipe.data.pictures, recipe.steps.crop, run)
    held_out = middles(open_store(recipe.data.held_out, HELD_OUT_SIDE, run))
    results = {}
    for name, is_blind in (("with", False), ("without", True)):
        torch.manual_seed(0)
        model = load(found, recipe, is_blind)
        steps = train(model, Crops(photos, store_of([]), seed=0), 60 * minutes)
        results[name] = {"steps": steps, "bits": bits(model, held_out)}
    return {"minutes": minutes, "t": list(EVALUATED_T), **results}


def changes(figures: Figures) -> list[float]:
    """The relative increase of bits without magnitudes, at each t."""
    pairs = zip(figures["with"]["bits"], figures["without"]["bits"], strict=True)
    return [without / with_ - 1 for with_, without in pairs]


def table(figures: Figures) -> str:
    """Markdown: bits without magnitudes against bits with them. Pixels are equal, so the mean is a BD-rate."""
    found = changes(figures)
    rows = [[f"{t:g}", f"{c:+.2%}"] for t, c in zip(figures["t"], found, strict=True)]
    rows.append(["mean", f"{sum(found) / len(found):+.2%}"])
    return study.markdown(["t", "bits without magnitudes"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="of training each of the two (default: 5)"
    )
    args = parser.parse_args(argv)
    figures = {"conditions": study.conditions(), **measure(args.run, args.minutes)}
    study.write(args.json, figures)
    print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

"""Train contexts on the latents of the default's frozen transforms, each for the same processor time.

    python -m nacre.tools.studies.contexts RECIPE --folder FOLDER --json FILE [--minutes 20] [--only NAME ...]

RECIPE names the training pictures and the held-out pictures. FOLDER keeps latents and trained contexts for
later runs. The control trains the default's context further for an equal time. Times are processor times of one
thread, so that several runs can share a machine.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nacre.datasets.memory import open_store
from nacre.models.nacre.network import NacreNetwork
from nacre.models.parts.rate import code
from nacre.models.zoo import load_model
from nacre.tools.contexts.latents import Latents, cache
from nacre.tools.contexts.variants import VARIANTS, Variant
from nacre.tools.studies import study
from nacre.tools.studies.study import Figures
from nacre.tools.train.held_out import middles
from nacre.tools.train.loss import LEVELS
from nacre.tools.train.recipe import read_recipe

BATCH, CROPS = 4, 3000
OLD_RATE, NEW_RATE = 1e-4, 1e-3  # learning rates of pretrained and of new weights
EVALUATED_T = (0.15, 0.4, 0.65, 0.9)
PROBE = 6  # positions a side of the latents that measure the effect of an error
TIMED = 32, 48  # positions of 512x768 pixels
Curve = list[list[float]]  # for each t: bits and squared error, summed over all pictures


def error_weights(model: NacreNetwork) -> Tensor:
    """(M,) the summed squared pixel error that a unit error of each channel of y before the gain causes."""
    t, latent = torch.tensor([0.5]), model.config.latent
    features = torch.zeros(1, model.config.context, PROBE, PROBE)
    at = torch.zeros(latent, latent, PROBE, PROBE)
    at[torch.arange(latent), torch.arange(latent), PROBE // 2, PROBE // 2] = 1
    with torch.no_grad():
        base = model.synthesis(at[:1] * 0, features, t)
        found = [
            (model.synthesis(y, features.expand(len(y), -1, -1, -1), t) - base)
            .square()
            .sum((1, 2, 3))
            for y in at.split(32)
        ]
        return torch.cat(found) * LEVELS**2 / model.synthesis.ungain(t).flatten() ** 2


def train(
    model: NacreNetwork, variant: Variant, latents: Latents, seconds: float
) -> tuple[int, float]:
    """Minimise the relative cost, the learning rate falling to zero; returns steps and processor seconds."""
    weights = error_weights(model) if variant.corrects else None
    old, new = variant.put_into(model)
    groups = [{"params": old, "top": OLD_RATE}, {"params": new, "top": NEW_RATE}]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
    rng = torch.Generator().manual_seed(0)
    start, steps = time.process_time(), 0
    pixels = latents.y[0, 0].numel() * model.reach.stride**2
    while (share := (time.process_time() - start) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * min((steps + 1) / 50, 1 - share)
        planes, t, cost = latents.batch(torch.randint(len(latents), (BATCH,), generator=rng))
        prior = model.prior({name: plane.shape for name, plane in planes.items()}, t)
        known, bits_of = code(prior, planes)
        loss = bits_of["y"] / pixels
        if weights is not None:
            error = (known["y"] - planes["y"]).square().sum((2, 3)) * model.synthesis.ungain(t)[
                ..., 0, 0
            ] ** 2
            loss = loss + model.lmbda(t) * (error * weights).sum(1) / pixels / 3
        optimiser.zero_grad(set_to_none=True)
        (loss / cost).mean().backward()
        torch.nn.utils.clip_grad_norm_([*old, *new], 1.0)
        optimiser.step()
        steps += 1
    return steps, time.process_time() - start


@torch.inference_mode()
def measured(model: NacreNetwork, pictures: Tensor) -> Curve:
    """Bits and squared error of held-out pictures, symbols rounded, at each of EVALUATED_T."""
    curve = []
    for value in EVALUATED_T:
        t, sums = torch.tensor([value]), torch.zeros(2, dtype=torch.float64)
        for x in pictures.split(1):
            coded = model(x, t, hard=True)
            error = (coded.x_hat.clamp(0, 1) - x).square().sum() * LEVELS**2 / 3
            sums += torch.stack([coded.bits[0].double(), error.double()])
        curve.append(sums.tolist())
    return curve


@torch.inference_mode()
def context_seconds(model: NacreNetwork) -> float:
    """Seconds for means and scales of all turns of a 512x768 picture, in floats: the least of five."""
    shapes = model.shapes(*TIMED)
    planes = {name: 3 * torch.randn(shape) for name, shape in shapes.items()}
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        code(model.prior(shapes, torch.tensor([0.5])), planes, hard=True)
        taken.append(time.perf_counter() - start)
    return min(taken)


def measure(recipe_path: Path, folder: Path, names: Sequence[str], minutes: float) -> Figures:
    recipe = read_recipe(recipe_path)
    shipped = load_model().network
    assert isinstance(shipped, NacreNetwork)
    latents = cache(shipped, list(recipe.data.pictures), CROPS, folder)
    held_out = middles(open_store(recipe.data.held_out, 256, folder))
    found: Figures = {
        "minutes": minutes, "crops": len(latents), "pictures": len(held_out), "t": list(EVALUATED_T),
        "lambda": [float(shipped.lmbda(torch.tensor(t))) for t in EVALUATED_T],
        "before": measured(shipped, held_out), "before_seconds": context_seconds(shipped), "variants": {},
    }  # fmt: skip
    for name in names:
        torch.manual_seed(0)
        model = NacreNetwork(shipped.config)
        model.load_state_dict(shipped.state_dict())
        steps, seconds = train(model, VARIANTS[name], latents, 60 * minutes)
        model.eval()
        torch.save(model.state_dict(), folder / f"{name}.pt")
        found["variants"][name] = {
            "title": VARIANTS[name].title, "steps": steps, "seconds": round(seconds, 1),
            "curve": measured(model, held_out), "context_seconds": context_seconds(model),
            "parameters": sum(p.numel() for p in model.parameters()), "turns": len(model.schedule),
        }  # fmt: skip
        print(
            f"{name}: {steps} steps, "
            + " ".join(f"{c:+.2%}" for c in changes(found, name, "before")),
            flush=True,
        )
    return found


def changes(figures: Figures, name: str, against: str = "control") -> list[float]:
    """The relative change of bits by a variant at each t, at equal distortion: lambda converts the change of
    the squared error to bits."""
    own = figures["variants"][name]["curve"]
    base = figures["before"] if against == "before" else figures["variants"][against]["curve"]
    return [
        (bits + lmbda * (error - base_error)) / base_bits - 1
        for (bits, error), (base_bits, base_error), lmbda in zip(
            own, base, figures["lambda"], strict=True
        )
    ]


def table(figures: Figures) -> str:
    """Markdown: bits against the control at equal pixels, time of the context, parameters."""
    head = [
        "context",
        *(f"t = {t:g}" for t in figures["t"]),
        "mean",
        "context, ms",
        "parameters",
        "turns",
        "steps",
    ]
    rows = []
    for name, row in figures["variants"].items():
        found = changes(figures, name)
        cells = [f"{c:+.2%}" for c in (*found, sum(found) / len(found))]
        rows.append([
            f"{name}: {row['title']}", *cells, f"{1000 * row['context_seconds']:.0f}",
            f"{row['parameters'] / 1e6:.2f} M", str(row["turns"]), str(row["steps"]),
        ])  # fmt: skip
    return study.markdown(head, rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = study.parser(__doc__, table)
    parser.add_argument("recipe", type=Path, metavar="RECIPE")
    parser.add_argument(
        "--folder", type=Path, required=True, help="for latents and trained contexts"
    )
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="of the processor, each (default: 20)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME"
    )
    parser.add_argument(
        "--add", type=Path, metavar="FILE", help="figures of other contexts, measured alike"
    )
    args = parser.parse_args(argv)
    figures = {
        "conditions": study.conditions(),
        **measure(args.recipe, args.folder, args.only, args.minutes),
    }
    if args.add:
        figures["variants"] = {**study.read(args.add)["variants"], **figures["variants"]}
    study.write(args.json, figures)
    if "control" in figures["variants"]:
        print(table(figures))
    return 0


if __name__ == "__main__":
    study.run(main)

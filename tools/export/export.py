"""Exports a run: writes its averaged weights with exact scales and fitted tables, and the model card."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch

from nacre.datasets.memory import open_store
from nacre.entropy.tables import Tables
from nacre.models.family import SQUARED_ERROR, STRUCTURE, Integers, Network
from nacre.models.install import described
from nacre.models.parts.condition import InterNetwork
from nacre.models.weights_file import integer_hash, pack, write_weights
from nacre.tools.export.averaging import Shares, averaged
from nacre.tools.export.calibration import quantise_on
from nacre.tools.export.clips import (
    quantise_on_pairs,
    sample_motion,
    sample_pairs,
    spread_pairs,
)
from nacre.tools.export.fitting import fit
from nacre.tools.export.pictures import spread
from nacre.tools.export.rate import measure, report
from nacre.tools.export.samples import Sample, sample_all
from nacre.tools.train.checkpoint import FILE, Checkpoint, State
from nacre.tools.train.clip_pairs import pairs_of
from nacre.tools.train.recipe import Recipe

CALIBRATION_SHARE = 3  # one in three training pictures calibrates the integers
MEASURED_PICTURES = 10  # held-out pictures
PAIRS = 8  # of frames, which stand for one picture at all qualities


def export_run(folder: Path, output: Path, name: str, count: int, others: Shares = ()) -> str:
    """Export the running average of a run's weights; write the card beside it; return the text to print.

    Tables are fitted to `count` training pictures. `others` are weights to average with those of the run.
    """
    found = Checkpoint.load(folder / FILE)
    recipe = Recipe.from_json(found.recipe)
    network = _network(recipe, averaged(found.ema, others))
    by = _of_clips if recipe.data.clips else _of_pictures
    integers, tables, unseen = by(recipe, network, folder, count)
    distortion = STRUCTURE if recipe.objective.ms_ssim_share else SQUARED_ERROR
    model = write_weights(
        output, name, recipe.model.family, network, integers, tables, distortion=distortion
    )
    rates = "no held-out pictures: nothing was measured"
    if unseen:
        rates = report(measure(network, tables, unseen))
    data = output.read_bytes()
    card = {
        **described(model, hashlib.sha256(data).hexdigest()),
        "integer_sha256": integer_hash(pack(network, integers, tables)),
        "license": "Apache-2.0",
        "data": list(recipe.data.pictures or recipe.data.clips),
        "training": {
            "start": found.start,
            "steps": found.step,
            "hours": round(found.seconds / 3600, 2),
            "recipe": json.loads(found.recipe)["steps"],
            "averaged_with": [[path.name, share] for path, share in others],
        },
        "export": rates,
        "results": [] if others else [known(row) for row in found.history[-1:]],  # before averaging
    }
    output.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return f"{output}: {rates}"


Exported = tuple[Integers, dict[str, Tables], list[Sample]]  # the samples are held out


def known(row: Mapping[str, float]) -> dict[str, float]:
    """The finite figures of a row: a band of qualities without pairs has no mean, and JSON has no NaN."""
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _of_pictures(recipe: Recipe, network: Network, folder: Path, count: int) -> Exported:
    data, unit = recipe.data, network.coarsest_stride
    store = open_store(data.pictures, recipe.steps.crop, folder)
    pictures = spread(store, count, unit)
    integers = quantise_on(network, pictures[::CALIBRATION_SHARE])
    tables = fit(network, sample_all(network, integers, pictures))
    unseen: list[Sample] = []
    if data.held_out:
        store = open_store(data.held_out, recipe.steps.crop, folder)
        unseen = sample_all(network, integers, spread(store, MEASURED_PICTURES, unit))
    return integers, tables, unseen


def _of_clips(recipe: Recipe, network: Network, folder: Path, count: int) -> Exported:
    assert isinstance(network, InterNetwork)
    found, held_out = pairs_of(recipe, network, folder)
    pairs = spread_pairs(found, PAIRS * count)
    integers = quantise_on_pairs(network, pairs[::CALIBRATION_SHARE])
    samples = [*sample_pairs(network, integers, pairs), sample_motion(folder)]
    unseen: list[Sample] = []
    if held_out is not None:
        unseen = sample_pairs(network, integers, spread_pairs(held_out, PAIRS * MEASURED_PICTURES))
    return integers, fit(network, samples), unseen


def _network(recipe: Recipe, state: State) -> Network:
    """The network with its weights rounded to half precision, as in the file."""
    network = recipe.model.build()
    network.load_state_dict({key: value.half().float() for key, value in state.items()})
    network.eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

"""Converts a checkpoint of CompressAI into a weights file and its card.

The networks keep their weights in float32. The hyper-synthesis is quantised to integers, calibrated on
pictures; the frequency tables are those of CompressAI. The training lambda, which the encoder needs for its
decisions, is not in a checkpoint: it is given, or estimated.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nacre.datasets.pictures import Count, read_pictures, rgb8
from nacre.datasets.synthetic import render
from nacre.entropy.errors import UsageError
from nacre.entropy.tables import Tables
from nacre.entropy.walk import drive, walk
from nacre.models import family as families
from nacre.models.family import Network, level
from nacre.models.install import described
from nacre.models.parts.blocks import QualityTable
from nacre.models.parts.channels import ChannelScales
from nacre.models.parts.rows import row_radius, row_scale
from nacre.models.weights_file import integer_hash, pack, write_weights
from nacre.tools.importing.bottleneck import (
    Distribution,
    channel_tables,
    distributions,
    gaussian_tables,
)
from nacre.tools.importing.checkpoint import (
    BOTTLENECK,
    FAMILIES,
    ForeignCheckpoint,
    read_checkpoint,
)

PHOTOGRAPH = Path(__file__).parents[1] / "demo" / "beacon-street.png"
RENDERED = 3  # pages, drawings and screens beside the photograph
SIDE = 512  # pixels; calibration pictures are cropped to it
UNIT = 64  # pixels; sides are multiples of it
MOST_PICTURES = 16
QUALITY = 50  # arbitrary: the network has one rate
NUDGE = 0.05  # change of the logarithm of the gain, to estimate lambda
LAMBDAS = 1e-4, 4.0  # bounds of the estimate
PARTS = {
    "analysis": "g_a.",
    "synthesis": "g_s.",
    "hyper_analysis": "h_a.",
    "hyper_synthesis": "h_s.",
}


def import_model(
    architecture: str,
    path: Path,
    output: Path,
    name: str,
    lmbda: float | None = None,
    pictures: Sequence[Path] = (),
) -> str:
    """Write the weights file and the card beside it; return the text to print. Raises UsageError."""
    found = read_checkpoint(path, architecture)
    crops = calibration_pictures(pictures)
    network = converted(found, lmbda or 1.0)
    if lmbda is None:
        lmbda = estimated_lambda(network, crops[0])
        network = converted(found, lmbda)
    tables = tables_of(found, network)
    with torch.inference_mode():
        integers = network.quantise(lambda: _run(network, crops))
    family = FAMILIES[architecture]
    model = write_weights(output, name, family, network, integers, tables, torch.float32)
    card = {
        **described(model, hashlib.sha256(output.read_bytes()).hexdigest()),
        "integer_sha256": integer_hash(pack(network, integers, tables)),
        "license": "as the checkpoint",
        "imported": {
            "architecture": f"compressai:{architecture}",
            "checkpoint": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "lambda": lmbda,
        },
    }
    output.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return f"{output}: {architecture}, lambda {lmbda:.4f}"


def converted(found: ForeignCheckpoint, lmbda: float) -> Network:
    """The network of the family, with the weights of the checkpoint."""
    family = families.find(FAMILIES[found.architecture])
    network = family.build(family.configure(_config(found, lmbda)))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            part, _, key = name.partition(".")
            if part in PARTS:
                _put(parameter, found, PARTS[part] + key)
        median, scales = network.get_parameter("median"), _channel_scales(network)
        median.copy_(found[f"{BOTTLENECK}quantiles"][:, 0, 1])
        for table in (m for m in network.modules() if isinstance(m, QualityTable)):
            table.log.zero_()
        deviations = [max(d.deviation, row_scale(0)) for d in _of_channels(found, network)]
        scales.log.copy_(torch.tensor(deviations).log().expand_as(scales.log))
    return network.eval().requires_grad_(False)


def _config(found: ForeignCheckpoint, lmbda: float) -> dict[str, Any]:
    """The fields of the family's configuration; widths follow from the shapes of the published layers."""
    values: dict[str, Any] = {
        "width": len(found["g_a.0.weight"]),
        "latent": len(found["g_a.6.weight"]),
        "knots": 2,
        "lambda_min": lmbda,
        "lambda_max": lmbda,
    }
    if FAMILIES[found.architecture] == "factorized":
        return {**values, "channel_tables": True}
    return {**values, "hyper": len(found["h_a.4.weight"])}


def _channel_scales(network: Network) -> ChannelScales:
    """The scales of the plane that has a table for each channel."""
    (scales,) = (m for m in network.modules() if isinstance(m, ChannelScales))
    return scales


def _of_channels(found: ForeignCheckpoint, network: Network) -> list[Distribution]:
    of_channels = distributions(found.under(BOTTLENECK))
    if len(of_channels) != len(network.get_parameter("median")):
        raise UsageError(f"no checkpoint of {found.architecture}: the bottleneck does not fit")
    return of_channels


def _put(parameter: Tensor, found: ForeignCheckpoint, key: str) -> None:
    theirs = found[key]
    if parameter.shape != theirs.shape:
        raise UsageError(f"no checkpoint of {found.architecture}: {key} is {tuple(theirs.shape)}")
    parameter.copy_(theirs)


def tables_of(found: ForeignCheckpoint, network: Network) -> dict[str, Tables]:
    """The tables of every plane."""
    of_channels = channel_tables(_of_channels(found, network))
    tables = {}
    for plane, rows in network.rows().items():
        if rows.by_scale:
            tables[plane] = gaussian_tables(rows.scales, [row_radius(s) for s in rows.scales])
        else:
            tables[plane] = of_channels
    return tables


def calibration_pictures(sources: Sequence[Path]) -> list[Tensor]:
    """(1, 3, h, w) in [0, 1], sides multiples of UNIT: from the sources, or a photograph and rendered pages.

    Raises UsageError if the sources have no picture of at least UNIT x UNIT pixels.
    """
    if sources:
        read = read_pictures([str(source) for source in sources], UNIT, Count())
        pixels = list(itertools.islice(read, MOST_PICTURES))
    else:
        pixels = [rgb8(Image.open(PHOTOGRAPH)), *render(RENDERED, seed=0)]
    found = []
    for picture in pixels:
        height, width = (min(side, SIDE) // UNIT * UNIT for side in picture.shape[:2])
        x = torch.from_numpy(np.array(picture[:height, :width]))
        found.append(x.permute(2, 0, 1)[None].float() / 255)
    return found


def _run(network: Network, pictures: Sequence[Tensor]) -> None:
    """Code the latents of pictures, without the synthesis."""
    t = level(QUALITY)
    for x in pictures:
        planes = network.complete(network.analyse(network.prepare(x), t), t)
        prior = network.prior({name: plane.shape for name, plane in planes.items()}, t)
        drive(walk(prior, x.device), lambda step: (step.of(planes) - step.mean).round())  # noqa: B023


@torch.inference_mode()
def estimated_lambda(network: Network, x: Tensor) -> float:
    """An estimate of the training lambda: bits per pixel for a unit of MSE on the 0..255 scale.

    At the end of training, a slightly larger step size saves as much rate as its additional error costs, so
    lambda is the ratio of both changes. The gain of y and its inverse change the step size.
    """
    t, found = level(QUALITY), []
    gains = [m for name, m in network.named_modules() if name in ("gain", "ungain")]
    for nudge in (-NUDGE, NUDGE):
        for table, sign in zip(gains, (1, -1), strict=True):
            assert isinstance(table, QualityTable)
            table.log.fill_(sign * nudge)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # equal noise in both passes
            coded = network(x, t)
        found.append(
            (float(coded.bits) / x[0, 0].numel(), 255**2 * float((coded.x_hat - x).square().mean()))
        )
    (low_rate, low_error), (high_rate, high_error) = found
    saved = low_error - high_error
    ratio = (high_rate - low_rate) / saved if saved > 0 else 0.0
    return min(max(ratio, LAMBDAS[0]), LAMBDAS[1]) if math.isfinite(ratio) else LAMBDAS[0]

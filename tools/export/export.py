"""A trained network to the weights that code: exact scales, fitted tables, and what both cost.

The scale network is quantised on the range of its activations, tables are fitted to the symbols that
each row really sees on training pictures; what is lost and won is measured on others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.datasets.memory import PixelStore, open_store
from nacre.entropy.coder import Symbols
from nacre.entropy.errors import UsageError, WeightsError
from nacre.entropy.tables import MAX_RADIUS, Tables, fit_tables
from nacre.entropy.walk import STEPS, Step, drive, walk
from nacre.models.image import ImageModel, gaussian_bits, multiplications
from nacre.models.scales import LOG2_MIN, ROW_STEP, ROWS, IntegerScales, LargestOutputs, quantise
from nacre.models.weights_file import QUALITIES, CodingTables, integer_hash, pack, write_weights
from nacre.tools.train.checkpoint import FILE, Checkpoint, State, network_state
from nacre.tools.train.recipe import Recipe

CALIBRATION_T = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)  # qualities, as the networks know them
SKIP_BELOW = 1e-3  # rows whose symbols are seldomer non-zero than this are not coded
PRIOR_SYMBOLS = 256.0  # what the Gaussian counts for beside the symbols seen in a row
SIDE = 384  # pixels; what tables are fitted on
Z_BANDS = 2  # bands of quality in which a channel of z has a table of its own
TAIL = 0.01  # share of a Laplacian in the prior shape: real tails are heavier than a Gaussian's

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """The symbols of one picture at one quality."""

    t: float
    z: NDArray[np.int32]  # (Z, positions)
    y: Symbols  # (elements,)
    rows: NDArray[np.uint8]  # (elements,) of the exact scale network
    log2_scale: NDArray[np.float32]  # (elements,) of the float one


class _BothPriors:
    """Means from the network, rows from the exact scales; answers with the float scales beside them."""

    def __init__(self, network: ImageModel, scales: IntegerScales, z_hat: Tensor) -> None:
        self.network = network
        self.scales = scales
        self.features = network.hyper_synthesis(z_hat)
        self.float_hyper = network.scales.hyper(z_hat)
        self.exact_hyper = scales.hyper(z_hat[0])
        self.float_rows: Tensor = torch.empty(0)

    def mean(self, y_hat: Tensor, step: int) -> Tensor:
        return self.network.means(self.features, y_hat, step)

    def rows(self, magnitudes: Tensor, step: int) -> Tensor:
        self.float_rows = self.network.scales(self.float_hyper, magnitudes, step)
        return self.scales.rows(self.exact_hyper, magnitudes[0], step)[None]


@torch.inference_mode()
def sample(network: ImageModel, scales: IntegerScales, x: Tensor, t: float) -> Sample:
    """x (1, 3, H, W) in [0, 1], sides multiples of 64."""
    quality = torch.tensor([t])
    y = network.analysis(x, quality)
    z_hat = network.hyper_analysis(y).round()
    prior = _BothPriors(network, scales, z_hat)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def answer(step: Step) -> Tensor:
        symbols = (y - step.mean).round()
        parts.append((symbols[step.where], step.rows[step.where], prior.float_rows[step.where]))
        return symbols

    drive(walk(prior, y.shape, y.device), answer)
    symbols, rows, log2_scale = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    z = z_hat[0].flatten(1).numpy().astype(np.int32)
    return Sample(t, z, symbols.astype(np.int32), rows, log2_scale)


@torch.inference_mode()
def quantise_on(network: ImageModel, pictures: Iterable[Tensor]) -> IntegerScales:
    """The exact scale network, from the activations that x (1, 3, H, W) pictures bring about."""
    watch = LargestOutputs(network.scales)
    for x in pictures:
        for t in CALIBRATION_T:
            network(x, torch.tensor([t]), hard=True)
    return quantise(network.scales, watch.close())


def shape(scale: float, radius: int) -> Floats:
    """(2 * radius + 2,) a Gaussian with a thin Laplacian tail, from -radius up, then all beyond."""
    from math import erf, exp

    def gaussian(x: float) -> float:
        return 0.5 * (1 + erf(x / scale * 0.5**0.5))

    def laplacian(x: float) -> float:
        tail = 0.5 * exp(-abs(x) / scale * 2**0.5)
        return tail if x < 0 else 1 - tail

    edges = np.arange(-radius - 0.5, radius + 1)
    below = np.array([(1 - TAIL) * gaussian(e) + TAIL * laplacian(e) for e in edges])
    return np.append(np.diff(below), max(2 * below[0], 1e-12))


def row_scale(row: int) -> float:
    """The standard deviation that a row stands for, in quantisation steps."""
    return float(2.0 ** (LOG2_MIN + ROW_STEP * row))


def row_radius(scale: float) -> int:
    return int(min(MAX_RADIUS, np.ceil(8 * scale) + 2))


def histogram(symbols: NDArray[np.int32], radius: int) -> Floats:
    """(2 * radius + 2,) how often each symbol occurs, then how many lie beyond."""
    inside = symbols[np.abs(symbols) <= radius]
    counts = np.bincount(inside + radius, minlength=2 * radius + 1).astype(np.float64)
    return np.append(counts, len(symbols) - len(inside))


def fit_y(samples: Sequence[Sample]) -> Tables:
    """One table a row, even in the sign of the symbol."""
    symbols, rows = (np.concatenate([getattr(s, part) for s in samples]) for part in ("y", "rows"))
    order = np.argsort(rows, kind="stable")
    ends = np.cumsum(np.bincount(rows, minlength=ROWS))
    counts, shapes = [], []
    for row in range(ROWS):
        seen = symbols[order[ends[row] - np.count_nonzero(rows == row) : ends[row]]]
        radius = row_radius(row_scale(row))
        count = histogram(seen, radius)
        count[:-1] = (count[:-1] + count[-2::-1]) / 2
        counts.append(count)
        shapes.append(shape(row_scale(row), radius))
    zeros = [c[(len(c) - 2) // 2] / max(c.sum(), 1) for c in counts]
    busy = [row for row in range(ROWS) if 1 - zeros[row] > SKIP_BELOW and counts[row].sum() > 1000]
    return fit_tables(counts, shapes, PRIOR_SYMBOLS, min(busy, default=0))


def fit_z(samples: Sequence[Sample], network: ImageModel) -> tuple[Tables, NDArray[np.uint8]]:
    """A table for each channel in each band of quality, and which one each quality uses."""
    channels = network.config.hyper
    counts, shapes = [], []
    for band in range(Z_BANDS):
        inside = [s for s in samples if min(int(s.t * Z_BANDS), Z_BANDS - 1) == band]
        with torch.inference_mode():
            scales = network.hyper_scale(torch.tensor([(band + 0.5) / Z_BANDS]))[
                0, :, 0, 0
            ].tolist()
        for channel in range(channels):
            seen = np.concatenate([s.z[channel] for s in inside])
            scale = max(
                scales[channel], float(np.sqrt(np.mean(seen.astype(float) ** 2))), row_scale(0)
            )
            radius = row_radius(scale)
            counts.append(histogram(seen, radius))
            shapes.append(shape(min(scale, row_scale(ROWS - 1)), radius))
    rows = np.empty((QUALITIES, channels), np.uint8)
    for quality in range(QUALITIES):
        band = min(int(quality / (QUALITIES - 1) * Z_BANDS), Z_BANDS - 1)
        rows[quality] = band * channels + np.arange(channels)
    return fit_tables(counts, shapes, PRIOR_SYMBOLS / 8, 0), rows


def fit(network: ImageModel, samples: Sequence[Sample]) -> CodingTables:
    z, rows = fit_z(samples, network)
    return CodingTables(fit_y(samples), z, rows)


@dataclass(frozen=True)
class Rate:
    """Bits of the same symbols by four rulers, summed over samples."""

    float_scales: float  # y, Gaussians of the float scale network
    exact_rows: float  # y, Gaussians of the rows of the exact one
    tables_y: float  # y, the fitted tables
    hyper_gaussian: float  # z, Gaussians
    tables_z: float  # z, the fitted tables

    def __str__(self) -> str:
        lost = self.exact_rows / self.float_scales - 1
        before = self.exact_rows + self.hyper_gaussian
        won = 1 - (self.tables_y + self.tables_z) / before
        return (
            f"integer scale network {lost:+.2%} of the rate of y, fitted tables {-won:+.2%} of the rate "
            f"(z: {self.tables_z / self.hyper_gaussian - 1:+.1%}, and z is {self.hyper_gaussian / before:.1%})"
        )


def _cost(symbols: Symbols, tables: Tables, row: int) -> float:
    """Bits of (n,) symbols of one row; those that escape cost 16 more."""
    radius = int(tables.radius[row])
    count = histogram(symbols, radius)
    return float((count * tables.bits(row)).sum() + 16 * count[-1])


def measure(network: ImageModel, tables: CodingTables, samples: Sequence[Sample]) -> Rate:
    """What `samples`, which the tables were not fitted to, cost by each ruler."""
    totals = np.zeros(5)
    for s in samples:
        grid = LOG2_MIN + ROW_STEP * s.rows.astype(np.float64)
        for i, log2_scale in enumerate((s.log2_scale.clip(LOG2_MIN, 6.0), grid)):
            bits = gaussian_bits(
                torch.from_numpy(s.y).double(), torch.exp2(torch.as_tensor(log2_scale))
            )
            totals[i] += float(bits.sum())
        for row in range(tables.y.coded_from, ROWS):
            totals[2] += _cost(s.y[s.rows == row], tables.y, row)
        with torch.inference_mode():
            scale_z = network.hyper_scale(torch.tensor([s.t]))[0, :, 0].double()
        totals[3] += float(gaussian_bits(torch.from_numpy(s.z).double(), scale_z).sum())
        rows = tables.z_rows[round(s.t * (QUALITIES - 1))]
        totals[4] += sum(_cost(s.z[c], tables.z, int(rows[c])) for c in range(len(rows)))
    return Rate(*totals)


def averaged(state: State, others: Sequence[tuple[Path, float]]) -> State:
    """The weights of `state` and of other files, each of which counts for its share; the rest is `state`'s."""
    shares = [share for _, share in others]
    own = 1 - sum(shares)
    if not all(0 <= share <= 1 for share in (own, *shares)):
        raise UsageError("shares to average with are from 0 to 1, and 1 at most in sum")
    mean = {key: own * value for key, value in state.items()}
    for path, share in others:
        other = network_state(path)
        if {k: v.shape for k, v in other.items()} != {k: v.shape for k, v in state.items()}:
            raise WeightsError(f"{path} is of another configuration than the run")
        mean = {key: value + share * other[key] for key, value in mean.items()}
    return mean


def export_run(
    folder: Path, output: Path, name: str, count: int, others: Sequence[tuple[Path, float]] = ()
) -> str:
    """Export the running average of a run's weights, with its card beside it; returns what to print.

    `others` are weights to average it with, and their shares.
    """
    found = Checkpoint.load(folder / FILE)
    recipe = Recipe.from_json(found.recipe)
    network = ImageModel(recipe.model)
    state = averaged(found.ema, others)
    network.load_state_dict({key: value.half().float() for key, value in state.items()})
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pictures = spread(open_store(recipe.data.pictures, recipe.steps.crop, folder), count)
    scales = quantise_on(network, pictures[::3])
    tables = fit(network, [sample(network, scales, x, t) for x in pictures for t in CALIBRATION_T])
    write_weights(output, name, network, scales, tables)
    report = "no held-out pictures: nothing was measured"
    if recipe.data.held_out:
        unseen = spread(open_store(recipe.data.held_out, recipe.steps.crop, folder), 10)
        report = str(
            measure(
                network,
                tables,
                [sample(network, scales, x, t) for x in unseen for t in CALIBRATION_T],
            )
        )
    card = {
        "sha256": hashlib.sha256(output.read_bytes()).hexdigest(),
        "integer_sha256": integer_hash(pack(network, scales, tables)),
        "parameters": network.parameter_count(),
        "kmac_per_pixel": {
            side: round(value, 1) for side, value in multiplications(network).items()
        },
        "sequential_steps": STEPS,
        "license": "Apache-2.0",
        "data": list(recipe.data.pictures),
        "training": {
            "start": found.start,
            "steps": found.step,
            "hours": round(found.seconds / 3600, 2),
            "recipe": json.loads(found.recipe)["steps"],
            "averaged_with": [[path.name, share] for path, share in others],
        },
        "export": report,
        "results": [] if others else found.history[-1:],  # measured before averaging
    }
    output.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return f"{output}: {report}"


def spread(store: PixelStore, count: int) -> list[Tensor]:
    """Up to `count` pictures from all over a store, (1, 3, SIDE, SIDE) or smaller, sides multiples of 64."""
    sizes = store.sizes.tolist()
    starts = np.concatenate([[0], np.cumsum([3 * h * w for h, w in sizes])])
    found = []
    for i in range(0, len(sizes), max(1, len(sizes) // count)):
        height, width = sizes[i]
        x = torch.from_numpy(
            store.pixels[starts[i] : starts[i + 1]].reshape(height, width, 3).copy()
        )
        height, width = (min(side, SIDE) // 64 * 64 for side in (height, width))
        found.append(x[:height, :width].permute(2, 0, 1)[None].float() / 255)
    return found[:count]

"""The encoder's choice of a mode for each cell of a tile: latent, lossless or transform code.

Photographs cost least as a latent. Screens, dithers and drawings of few colours cost less without loss; noise
and saturated text, which a latent of this width cannot carry, cost less as a plain transform code. Each way of
coding a tile is coded and decoded again, and compared by bits + lambda * squared error. A cheap survey of the
pixels comes first: ways are compared only for tiles with cells unlike a photograph's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nacre.codec import cells, fill, jpeg, palette
from nacre.codec.cells import Modes, Pixels
from nacre.codec.container import Cells, Mode
from nacre.codec.run import Run
from nacre.codec.search.target import Target
from nacre.codec.tiles import EncodedTile, NotNumbers, complete, encode_tile
from nacre.entropy.once import once
from nacre.entropy.tables import MAX_RADIUS
from nacre.entropy.walk import Planes, Step

SIDE = 1 << cells.SIDE_LOG2
FEW_COLOURS = 64  # of a cell; 4 % of the cells of photographs (Kodak) have fewer
FEW_NEW = 0.5  # share of pixels unlike upper and left neighbours; most cells of screens have less
ROUGH_LUMA = 10000.0  # mean squared difference of neighbouring pixels; no cell of Kodak has more
ROUGH_CHROMA = 2500.0  # of red - green and of blue - green together, likewise
# Ways are compared when the survey promises a gain of LEAST_GAIN bits, or of LEAST_SHARE of the estimated cost
# of the latent where that is less. The gain must also be WORTH of that cost (Kodak: 0.04 at most), unless
# DRAWN_SHARE of the cells have few colours or repeated pixels (Kodak: 0.37 at most).
LEAST_GAIN = 600.0
LEAST_SHARE = 0.1
DRAWN_SHARE = 0.45
WORTH = 0.05
LATENT_SHARE = 0.8  # of the cost of the transform code, for content that suits the network
# The fidelity of a network has a ceiling. Cells whose errors cost more than WORST_ERROR bits a pixel (high-rate
# theory gives 2.2) are compared with other modes if these promise to save WORTH_SHOWN of the cost of the tile.
WORST_ERROR = 3.0
WORTH_SHOWN = 0.02
MARGIN = 1.1  # on the estimates of other modes
FLAT_WEIGHT = 8.0  # of errors in cells of one colour: off-white paper is seen
MOST_OF_TILE = 0.5  # share of suspect cells from which all of a tile is tried as transform code
MOST_HOPE = 2.5  # factor by which an estimate of lossless bits may be too high
CHUNK_BYTES = 14  # framing of a CELL chunk, about

# Bits of the transform code, by regression over photographs and unusual pictures (within 15 %).
BITS_NONZERO, BITS_DOUBLING, BITS_BLOCK = 4.3, 0.8, 3.0
LUMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

Floats = NDArray[np.float64]
Analyse = Callable[[Pixels], Planes]  # pixels of a tile to its planes


class Survey:
    """Statistics of the cells of a tile, from its pixels (h, w, C), independent of quality."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._cells = cells.cut(pixels, SIDE)
        self.shape = self._cells.shape[:2]
        packed = _packed(self._cells)
        self._sorted = np.sort(packed.reshape(*self.shape, -1), 2)
        self.colours = (np.diff(self._sorted, axis=2) != 0).sum(2) + 1
        is_new = (packed[..., 1:, 1:] != packed[..., 1:, :-1]) & (
            packed[..., 1:, 1:] != packed[..., :-1, 1:]
        )
        self._new = is_new.sum((2, 3))  # pixels unlike their upper and left neighbours
        self.is_rough = _roughness(self._cells)

    @once
    def exact_bits(self) -> Floats:
        """(rows, columns) estimated bits of each cell without loss."""
        return self.exact_bits_of(np.ones(self.shape, np.bool_)).reshape(self.shape)

    def exact_bits_of(self, which: NDArray[np.bool_]) -> Floats:
        """(n,) estimated bits without loss of the cells `which` (rows, columns)."""
        ordered = self._sorted[which]
        pixels = ordered.shape[1]
        starts = np.diff(ordered, axis=1, prepend=ordered[:, :1]) != 0
        starts[:, 0] = True
        first = np.flatnonzero(starts)
        runs = np.diff(first, append=starts.size) / pixels
        of_cell = first // pixels
        entropy = np.bincount(of_cell, -runs * np.log2(runs), starts.size // pixels)
        literals = 3.0 * self._cells.shape[4] * np.maximum(0, self.colours[which] - FEW_COLOURS)
        by_colour = literals + np.minimum(pixels * entropy, self._new[which] * (entropy + 1.5))
        return np.asarray(4 + np.minimum(by_colour, _predicted_bits(self._cells[which])))

    def transform_cost(self, which: NDArray[np.bool_], price: float, step: int) -> Floats:
        """(n,) estimated Lagrangian cost of the cells `which` (rows, columns) as transform code."""
        x = self._cells[which].astype(np.float32) - 128
        grey = x.shape[3] == 1
        x = x if grey else x @ LUMA.T.astype(np.float32)
        blocks = (
            torch.from_numpy(x).unfold(1, jpeg.BLOCK, jpeg.BLOCK).unfold(2, jpeg.BLOCK, jpeg.BLOCK)
        )
        scaled = _DCT @ blocks @ _DCT.T / step
        symbols = scaled.round()
        magnitude = symbols.abs()
        nonzero = magnitude > 0
        bits = BITS_NONZERO * nonzero + BITS_DOUBLING * torch.log2(magnitude.clamp_min(1))
        error = (scaled - symbols).square() * (price * step**2 * (1 if grey else 3))
        total = (bits + error).flatten(1).sum(1) + BITS_BLOCK * blocks[0, ..., 0, 0].numel()
        return np.asarray(total.numpy(), np.float64)

    def suspects(self, price: float, step: int) -> NDArray[np.bool_]:
        """(rows, columns) cells that may cost less in another mode than the latent."""
        found = self.is_rough.copy()
        few = (self.colours <= FEW_COLOURS) | (self._new < FEW_NEW * (SIDE - 1) ** 2)
        if few.any() and self.pixels.dtype == np.uint8:
            latent = LATENT_SHARE * self.transform_cost(few, price, step)
            gain = latent - self.exact_bits_of(few)
            promised = gain[gain > 0].sum()
            is_enough = promised > min(LEAST_GAIN, LEAST_SHARE * few.size * latent.mean())
            is_enough &= bool(promised > WORTH * latent.sum()) or few.mean() >= DRAWN_SHARE
            if (
                is_enough and few.mean() < DRAWN_SHARE
            ):  # a photograph: comparing takes longer than coding
                everywhere = self.transform_cost(np.ones_like(few), price, step)
                is_enough = promised > WORTH * LATENT_SHARE * everywhere.sum()
            if is_enough:
                found[few] |= gain > 0
        elif few.any():
            found |= few
        return found


def _predicted_bits(cut: Pixels) -> Floats:
    """(n,) estimated bits of cells (n, side, side, C) under the predictor beside + above - corner."""
    x = cut.astype(np.int32)
    beside, above, before = x[:, 1:, :-1], x[:, :-1, 1:], x[:, :-1, :-1]
    error = np.abs(x[:, 1:, 1:] - beside - above + before)
    bits = np.where(error > 0, 2 + 2 * np.log2(np.maximum(error, 1)), 0.1)
    return np.asarray(bits.sum((1, 2, 3)))


def _packed(cut: Pixels) -> NDArray[np.int64]:
    """(...) the samples (..., C) of each pixel packed into one number."""
    packed: Any = cut[..., 0].astype(np.int32 if cut.dtype == np.uint8 else np.int64)
    for c in range(1, cut.shape[-1]):
        packed = packed << 8 * cut.itemsize | cut[..., c]
    found: NDArray[np.int64] = packed
    return found


def _roughness(cut: Pixels) -> NDArray[np.bool_]:
    """(rows, columns) whether neighbours differ more than in photographs."""
    x = cut.astype(np.int16) if cut.dtype == np.uint8 else (cut >> 8).astype(np.int16)
    middle = x[..., x.shape[-1] // 2]
    rough = np.asarray(_change(middle) > ROUGH_LUMA)
    if x.shape[-1] == 3:
        rough |= _change(x[..., 0] - middle) + _change(x[..., 2] - middle) > ROUGH_CHROMA
    return rough


def _change(plane: NDArray[np.int16]) -> Floats:
    """(rows, columns) mean squared difference to the neighbours below and on the right."""
    down, right = np.diff(plane, axis=2), np.diff(plane, axis=3)
    return sum(
        np.einsum("abcd,abcd->ab", d, d, dtype=np.float32) / (d.shape[2] * d.shape[3])
        for d in (down, right)
    )  # type: ignore[return-value]


def _dct_matrix() -> Tensor:
    k = np.arange(jpeg.BLOCK)
    matrix = np.cos(np.pi * np.outer(k, 2 * k + 1) / (2 * jpeg.BLOCK)) * math.sqrt(2 / jpeg.BLOCK)
    matrix[0] /= math.sqrt(2)
    return torch.from_numpy(matrix.astype(np.float32))


_DCT = _dct_matrix()


class BitCount:
    """Rounds symbols for `encode_tile` and sums their bits at each position of the latent.

    Planes of a coarser stride are not counted: each of their symbols serves several cells.
    """

    def __init__(self, run: Run, planes: Planes) -> None:
        network = run.network
        self._planes, self._stride = planes, network.reach.stride
        self._counted = {k for k, plane in network.planes.items() if plane.stride == self._stride}
        device = run.device
        self._costs = {
            name: torch.from_numpy(run.model.tables[name].costs).to(device)
            for name in self._counted
        }
        size = planes[next(iter(self._counted))].shape[2:]
        self.bits = torch.zeros(size, dtype=torch.float32, device=device)  # (h, w)

    def choose(self, step: Step) -> Tensor:
        target = step.of(self._planes)
        symbols = (target - step.mean).round()
        if step.turn.plane in self._counted:
            at = symbols.clamp(-MAX_RADIUS - 1, MAX_RADIUS + 1) + (MAX_RADIUS + 1)
            cost = self._costs[step.turn.plane][step.rows.to(target.device).long(), at.long()]
            self.bits += torch.where(step.where & torch.isfinite(cost), cost, 0.0).sum((0, 1))
        return symbols

    def of_cells(self, shape: tuple[int, ...]) -> Floats:
        """(rows, columns) bits of each cell."""
        if SIDE % self._stride == 0:
            return _summed(self.bits, SIDE // self._stride, shape)
        spread = self.bits / self._stride**2  # bits a pixel
        spread = spread.repeat_interleave(self._stride, 0).repeat_interleave(self._stride, 1)
        return _summed(spread, SIDE, shape)


def _summed(plane: Tensor, side: int, shape: tuple[int, ...]) -> Floats:
    """(rows, columns) sums of (h, w) over squares of `side`; values outside the plane are zero."""
    height, width = shape[0] * side, shape[1] * side
    whole = np.zeros((height, width))
    inside = plane.cpu().numpy()[:height, :width]
    whole[: inside.shape[0], : inside.shape[1]] = inside
    return whole.reshape(shape[0], side, shape[1], side).sum((1, 3))


@dataclass(frozen=True)
class Way:
    """One way of coding a tile: with a latent, with cells, or with both."""

    cost: float  # Lagrangian, in bits
    cost_of_latent: float  # the part of it that the latent and its errors cause
    modes: Modes
    planes: Planes | None  # of the latent, before rounding
    tile: EncodedTile | None
    cells: Cells | None
    target: Target  # errors under cells weigh nothing in it
    errors: Tensor | None = None  # (h, w) price in bits of each pixel's error; only without cells


class Chooser:
    """Codes a tile in several ways and finds the cheapest."""

    def __init__(
        self, target: Target, survey: Survey, number: int, quality: int, analyse: Analyse,
        is_alone: bool, care: int,
    ) -> None:  # fmt: skip
        """`analyse` gives the planes of changed pixels; a tile that `is_alone` may have no latent."""
        self._target, self._survey, self._number, self._quality = target, survey, number, quality
        self._analyse, self._is_alone, self._care = analyse, is_alone, care
        self._step = jpeg.best_step(target.price * survey.pixels.shape[2])

    def suspects(self) -> NDArray[np.bool_]:
        return self._survey.suspects(self._target.price, self._step)

    def plain(self, planes: Planes, tile: EncodedTile) -> Way:
        """The way with the latent alone."""
        return self._plain(planes, tile, self._target.errors(tile.decoded))

    def _plain(self, planes: Planes, tile: EncodedTile, errors: Tensor) -> Way:
        modes = np.zeros(self._survey.shape, np.uint8)
        cost = float(tile.bits + errors.sum())
        return Way(cost, cost, modes, planes, tile, None, self._target, errors)

    def nothing(self) -> NDArray[np.bool_]:
        """(rows, columns) no cell is suspect."""
        return np.zeros(self._survey.shape, np.bool_)

    def badly_shown(self, way: Way) -> NDArray[np.bool_]:
        """(rows, columns) cells that promise to cost less in another mode, by what their errors cost."""
        assert way.errors is not None and way.tile is not None
        errors = _summed(way.errors, SIDE, self._survey.shape)
        return self._promising(errors, errors + way.tile.bits / errors.size)

    def _promising(self, errors: Floats, latent: Floats) -> NDArray[np.bool_]:
        """(rows, columns) cells with costly errors for which the estimate of another mode is below `latent`."""
        found = errors > WORST_ERROR * SIDE**2
        if found.any() and self._survey.pixels.dtype == np.uint8:
            transformed = self._survey.transform_cost(found, self._target.price, self._step)
            other = np.minimum(transformed, self._survey.exact_bits_of(found))
            gain = latent[found] - MARGIN * other
            is_worth = gain[gain > 0].sum() > WORTH_SHOWN * latent.sum()
            found[found] = (gain > 0) & is_worth
        return found

    def best(self, planes: Planes | None, suspects: NDArray[np.bool_]) -> Way:
        """The cheapest of: the latent alone, the cheapest mode of each cell, one mode for all cells.

        `planes` is None where the networks give no finite numbers: then no cell can stay with the latent.
        """
        self._target = self._for_eyes()
        found: list[Way] = []
        exact = self._survey.exact_bits
        transformed = np.full(self._survey.shape, np.inf)
        latent = np.full(self._survey.shape, np.inf)
        try:
            if planes is None:
                raise NotNumbers("the networks give no numbers for this tile")
            counter = BitCount(self._target.run, planes)
            tile = encode_tile(self._target.run, planes, self._quality, counter.choose)
            errors = self._target.errors(tile.decoded)
            errors_of = _summed(errors, SIDE, self._survey.shape)
            latent = counter.of_cells(self._survey.shape) + errors_of
            suspects = suspects | self._promising(errors_of, latent)
            found.append(self._plain(planes, tile, errors))
        except NotNumbers:
            suspects = np.ones_like(suspects)
        if self._survey.pixels.dtype == np.uint8:
            everywhere = np.ones_like(suspects)
            of_all = self._survey.transform_cost(everywhere, self._target.price, self._step)
            transformed = of_all.reshape(transformed.shape)
        ratio = 1.0
        for _ in range(2):  # the second time with the real bits of the lossless coder
            modes = _cheapest(latent, ratio * exact, transformed, suspects)
            if not modes.any() or any(np.array_equal(modes, way.modes) for way in found):
                break
            found.append(self._way(modes))
            is_exact = modes == Mode.EXACT
            if not is_exact.any():
                break
            made = found[-1].cells
            assert made is not None
            ratio = 8 * len(made.exact) / exact[is_exact].sum()
        lowest = min((way.cost for way in found), default=np.inf)
        if min(ratio, 1.0) * exact.sum() < MOST_HOPE * lowest or not found:
            found.append(self._way(np.full(self._survey.shape, Mode.EXACT, np.uint8)))
        if transformed.sum() < 1.2 * lowest and suspects.mean() > MOST_OF_TILE:
            found.append(self._way(np.full(self._survey.shape, Mode.DCT, np.uint8)))
        return min(found, key=lambda way: way.cost)

    def _way(self, modes: Modes) -> Way:
        """The tile coded with these modes, decoded again, and its Lagrangian cost."""
        pixels = self._survey.pixels
        cost, made = min(
            (self._written(modes, shown) for shown in self._versions(modes)), key=lambda way: way[0]
        )
        is_own = cells.spread(modes != Mode.LATENT, SIDE, pixels.shape[:2])
        target = self._weighed(1.0 - is_own)  # errors of the latent under cells weigh nothing
        if self._is_alone and is_own.all():
            return Way(cost, 0.0, modes, None, None, made, target)
        analysed = self._analyse(fill.fill(pixels, is_own))
        planes = complete(target.run, analysed, target.t)
        tile = encode_tile(target.run, planes, self._quality)
        cost_of_latent = target.cost(tile)
        return Way(cost + cost_of_latent, cost_of_latent, modes, planes, tile, made, target)

    def _written(self, modes: Modes, shown: Pixels) -> tuple[float, Cells]:
        """The Lagrangian cost of cells coded from the pixels `shown`, and the cells."""
        pixels = self._survey.pixels
        made = cells.write(self._number, modes, shown, self._step, self._care)
        patch = cells.read(made, pixels.shape, 8 * pixels.itemsize)
        unit = 1 if pixels.itemsize == 1 else 257
        error = (patch.pixels.astype(np.float32) - pixels) / unit
        squares = np.einsum("abc,abc->ab", error, error) * patch.is_own
        if self._target.weight is not None:
            squares = squares * self._target.weight[0, 0].cpu().numpy()
        bits = 8 * (CHUNK_BYTES + len(made.to_bytes()))
        return bits + float(squares.sum()) * self._target.price, made

    def _versions(self, modes: Modes) -> list[Pixels]:
        """Pixels of the tile: unchanged, and with merged colours in lossless cells, which suits drawings."""
        pixels, is_exact = self._survey.pixels, modes == Mode.EXACT
        if pixels.dtype != np.uint8 or not is_exact.any():
            return [pixels]
        is_own = cells.spread(is_exact, SIDE, pixels.shape[:2])
        merged = palette.merge(pixels.astype(np.uint8), is_own, self._target.price)
        return [pixels] if np.array_equal(merged, pixels) else [pixels, merged]

    def _for_eyes(self) -> Target:
        """The target with FLAT_WEIGHT on errors in cells of one colour."""
        is_flat = self._survey.colours == 1
        if not is_flat.any():
            return self._target
        flat = cells.spread(is_flat, SIDE, self._survey.pixels.shape[:2])
        return self._weighed(1 + (FLAT_WEIGHT - 1) * flat)

    def _weighed(self, more: NDArray[Any]) -> Target:
        weight = torch.from_numpy(more.astype(np.float32))[None, None].to(self._target.x.device)
        before = self._target.weight
        return replace(self._target, weight=weight if before is None else weight * before)


def _cheapest(
    latent: Floats, exact: Floats, transformed: Floats, suspects: NDArray[np.bool_]
) -> Modes:
    """(rows, columns) the cheapest mode of each cell; cells that are not suspect stay with the latent."""
    costs = np.stack([latent, exact, transformed])
    costs[1:, ~suspects] = np.inf
    return np.asarray(costs.argmin(0), np.uint8)

"""Codes one entropy tile of the latent, in layers.

Contexts stop at the border of a tile, so each tile parses alone. A layer parses without the layers behind it;
means stand in for their symbols. The parse depends on integers alone: the rows of the exact prior, the tables,
the symbols. Means are floats, and affect pixels only.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nacre.codec.run import Run
from nacre.entropy.coder import SymbolArray, SymbolDecoder, SymbolEncoder, TableRows
from nacre.entropy.errors import CorruptStream
from nacre.entropy.schedule import Schedule, layer_count, planes_of
from nacre.entropy.tables import MAX_SYMBOL, Tables
from nacre.entropy.walk import Planes, Step, drive, walk
from nacre.models.family import LivePrior, Shapes

SMALLEST_PART_BYTES = 3072  # least size of a part, as each part costs 17 bytes


@dataclass(frozen=True)
class DecodedTile:
    """The planes of one tile for the synthesis."""

    shown: Planes  # (1, C, h, w) each
    symbols: Planes  # (1, C, h, w) int32 each
    checksum: int  # CRC-32 of the symbols; symbols of missing layers count as 0


@dataclass(frozen=True)
class TilePlanes:
    """The planes of one tile before the synthesis."""

    planes: Planes  # (1, C, h, w) each: mean plus symbol, or symbols alone
    symbols: Planes  # the same shapes, int32
    checksum: int


@dataclass(frozen=True)
class TilePart:
    """Layers `first` to `last` of a tile, both included, coded together."""

    first: int
    last: int
    data: bytes


@dataclass(frozen=True)
class EncodedTile:
    """The code of one tile, and its decoded planes."""

    parts: list[TilePart]  # in order
    decoded: DecodedTile

    @property
    def bits(self) -> int:
        return 8 * sum(len(part.data) for part in self.parts)


class BoundedPrior:
    """A prior with finite and clamped means, computed in the precision of the run."""

    def __init__(self, run: Run, shapes: Shapes, quality: int) -> None:
        self._run = run
        self._prior: LivePrior = run.model.prior(shapes, quality)
        self.schedule: Schedule = self._prior.schedule
        self.shapes = shapes

    def mean(self, turn: int, known: Planes) -> Tensor:
        """Raises NotNumbers, which trained weights never cause: the networks are bounded."""
        with self._run.computing():
            return _bounded(self._prior.mean(turn, known))

    def rows(self, turn: int, seen: Planes) -> Tensor:
        return self._prior.rows(turn, seen)

    def settle(self, turn: int, known: Planes) -> Planes:
        with self._run.computing():
            return self._prior.settle(turn, known)

    def shown(self, known: Planes) -> Planes:
        with self._run.computing():
            return self._prior.shown(known)


class SymbolPrior(BoundedPrior):
    """A prior with means of zero: the walk then gives symbols, and runs no network in floats.

    Rows depend on symbols alone, so the parse of a file does not change.
    """

    def mean(self, turn: int, known: Planes) -> Tensor:
        turns = self.schedule[turn]
        return torch.zeros((), device=self._run.device).expand(
            1, len(turns.channels), *self.shapes[turns.plane][2:]
        )

    def settle(self, turn: int, known: Planes) -> Planes:
        return known


class NotNumbers(CorruptStream):
    """A network gave infinity or NaN: damage for a decoder; an encoder then codes without a latent."""


def finite(x: Tensor) -> Tensor:
    """x, if all of it is finite; raises NotNumbers."""
    # The sum is one pass without a mask; it may overflow for finite numbers, hence the second test.
    if not bool(torch.isfinite(x.sum())) and not bool(torch.isfinite(x).all()):
        raise NotNumbers("the networks give no numbers for these symbols")
    return x


def _bounded(x: Tensor) -> Tensor:
    return finite(x.float()).clamp(-MAX_SYMBOL, MAX_SYMBOL)


def symbol_checksum(symbols: Mapping[str, Tensor], schedule: Schedule) -> int:
    """CRC-32 over all symbols of a tile as int32: plane by plane, channel by channel, in raster order."""
    crc = 0
    for plane in planes_of(schedule):
        crc = zlib.crc32(symbols[plane].numpy().astype("<i4").tobytes(), crc)
    return crc


Pushed = tuple[SymbolArray, TableRows, Tables]


def complete(run: Run, planes: Planes, t: Tensor) -> Planes:
    """All planes of a tile, float32 before rounding, from the planes of the analysis. Raises NotNumbers."""
    with run.computing():
        found = run.network.complete({k: v.float() for k, v in planes.items()}, t)
    return {name: finite(plane.float()) for name, plane in found.items()}


def encode_tile(
    run: Run,
    planes: Planes,
    quality: int,
    choose: Callable[[Step], Tensor | None] | None = None,
    is_one_part: bool = False,
) -> EncodedTile:
    """Round and code all planes (1, C, h, w) of a tile.

    `choose` returns the symbols of a step, whole numbers (1, C, h, w), or None to round them.
    With `is_one_part` all layers are coded together.
    The code is decoded again before it is returned, as a proof that it can be read.
    """
    shapes = {name: plane.shape for name, plane in planes.items()}
    prior = BoundedPrior(run, shapes, quality)
    layers: list[list[Pushed]] = [[] for _ in range(layer_count(prior.schedule))]
    all_symbols = _no_symbols(shapes)

    def answer(step: Step) -> Tensor:
        tables = run.model.tables[step.turn.plane]
        chosen = None if choose is None else choose(step)
        if chosen is None:
            chosen = (step.of(planes) - step.mean).round()
        wanted = step.where
        if tables.coded_from:
            wanted = (step.rows >= tables.coded_from).to(step.mean.device) & wanted
        symbols = _bounded(chosen)
        if tables.coded_from or not step.turn.is_whole:
            symbols = torch.where(wanted, symbols, 0.0)
        whole, own = symbols.cpu().int(), _own(all_symbols, step)
        if step.turn.is_whole:
            own.copy_(whole)
            of_step, rows = whole.flatten(), step.rows.flatten()
        else:
            where = step.where.cpu()
            of_step, rows = whole[where], step.rows[where]
            own[where] = of_step
        layers[step.turn.layer].append((of_step.numpy(), rows.numpy(), tables))
        return symbols

    known = drive(walk(prior, run.device), answer)
    sizes = [_expected_bytes(layer) for layer in layers]
    parts = [
        TilePart(first, last, _coded(list(itertools.chain(*layers[first : last + 1]))))
        for first, last in ([(0, len(layers) - 1)] if is_one_part else _part_spans(sizes))
    ]
    crc = symbol_checksum(all_symbols, prior.schedule)
    return EncodedTile(parts, DecodedTile(prior.shown(known), all_symbols, crc))


def _no_symbols(shapes: Shapes) -> Planes:
    return {k: torch.zeros(v, dtype=torch.int32, device="cpu") for k, v in shapes.items()}


def _own(planes: Planes, step: Step) -> Tensor:
    """A view (1, C, h, w) of the channels of a step."""
    return planes[step.turn.plane][:, step.turn.slice]


def _expected_bytes(pushed: Sequence[Pushed]) -> float:
    """The expected bytes of symbols, from their rows alone."""
    bits = (
        np.bincount(rows, minlength=tables.rows) @ tables.expected_bits
        for _, rows, tables in pushed
    )
    return float(sum(bits)) / 8


def _part_spans(sizes: list[float]) -> list[tuple[int, int]]:
    """First and last layer of each part; if there are several, each takes SMALLEST_PART_BYTES or more."""
    found: list[tuple[int, int]] = []
    first, size = 0, 0.0
    for layer, more in enumerate(sizes):
        size += more
        if size >= SMALLEST_PART_BYTES and sum(sizes[layer + 1 :]) >= SMALLEST_PART_BYTES:
            found.append((first, layer))
            first, size = layer + 1, 0.0
    return [*found, (first, len(sizes) - 1)] if first < len(sizes) else found


def _coded(pushed: Sequence[Pushed]) -> bytes:
    encoder = SymbolEncoder()
    for symbols, rows, tables in pushed:
        encoder.push(symbols, rows, tables)
    data = encoder.finish()
    decoder = SymbolDecoder(data)
    for symbols, rows, tables in pushed:
        if not np.array_equal(decoder.pull(rows, tables), symbols):
            raise RuntimeError("the code does not read back: a fault of nacre, please report it")
    decoder.finish()
    return data


def decode_tile(
    run: Run, parts: Sequence[TilePart], height: int, width: int, quality: int
) -> DecodedTile:
    """Undo `encode_tile`, for a tile of `height` x `width` positions; means stand in for missing layers.

    `parts` are in order, the first one with layer 0. Raises CorruptStream when a code does not end with its
    last symbol.
    """
    prior = BoundedPrior(run, run.network.shapes(height, width), quality)
    found = _decoded(run, prior, parts)
    return DecodedTile(prior.shown(found.planes), found.symbols, found.checksum)


def decode_planes(
    run: Run,
    parts: Sequence[TilePart],
    height: int,
    width: int,
    quality: int,
    only_symbols: bool = False,
) -> TilePlanes:
    """The planes of a tile for the synthesis, as in `decode_tile`; with `only_symbols`, without means."""
    kind = SymbolPrior if only_symbols else BoundedPrior
    return _decoded(run, kind(run, run.network.shapes(height, width), quality), parts)


def _decoded(run: Run, prior: BoundedPrior, parts: Sequence[TilePart]) -> TilePlanes:
    layers = layer_count(prior.schedule)
    if not parts or parts[-1].last >= layers:
        raise CorruptStream(f"a tile of {parts[-1].last + 1 if parts else 0} layers, not {layers}")
    decoders = [SymbolDecoder(part.data) for part in parts]
    of_layer = [d for d, p in zip(decoders, parts, strict=True) for _ in range(p.first, p.last + 1)]
    all_symbols = _no_symbols(prior.shapes)

    def answer(step: Step) -> Tensor:
        own = _own(all_symbols, step)
        if step.turn.layer < len(of_layer):
            where = step.where.cpu().numpy()  # masks of numpy take half the time of torch's
            tables = run.model.tables[step.turn.plane]
            own.numpy()[where] = of_layer[step.turn.layer].pull(step.rows.numpy()[where], tables)
        return own.to(run.device, torch.float32)

    known = drive(walk(prior, run.device), answer)
    for decoder in decoders:
        decoder.finish()
    return TilePlanes(known, all_symbols, symbol_checksum(all_symbols, prior.schedule))

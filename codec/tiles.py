"""One entropy tile of the latent: to coded bytes and back, in layers.

Contexts stop at the border of a tile, so each parses alone. A layer is a step of the walk, the first one
with the hyper-latent; it parses without those behind it, for which the mean stands in. Everything that
the parse depends on is integers: the exact scale network, the tables, the symbols. Means are floats and
shape only y_hat.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nacre.codec.container import Cells
from nacre.entropy.coder import Decoder, Encoder, Rows, Symbols
from nacre.entropy.errors import CorruptStream
from nacre.entropy.tables import MAX_SYMBOL, Tables
from nacre.entropy.walk import STEPS, Step, drive, walk
from nacre.models.config import HYPER_STRIDE, STRIDE
from nacre.models.weights_file import CodingModel

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LAYERS = STEPS
SMALLEST_PART_BYTES = 3072  # of coded layers: a part of its own costs 16 bytes


@dataclass(frozen=True)
class Runner:
    """Where and how the networks run. The parse does not depend on any of it."""

    model: CodingModel
    device: torch.device
    precision: str = "float32"

    def autocast(self) -> AbstractContextManager[object]:
        if self.precision == "float32" and self.device.type == "cuda":
            return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, PRECISIONS[self.precision])


@dataclass(frozen=True)
class Area:
    """A tile in the latent: rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def meets(self, other: Area) -> bool:
        """Whether they have a position in common."""
        return (
            max(self.top, other.top) < min(self.bottom, other.bottom)
            and max(self.left, other.left) < min(self.right, other.right)
        )  # fmt: skip

    def inside(self, other: Area) -> tuple[slice, slice]:
        """Rows and columns of this area that lie in `other`, which it meets."""
        return (
            slice(max(self.top, other.top) - self.top, min(self.bottom, other.bottom) - self.top),
            slice(max(self.left, other.left) - self.left, min(self.right, other.right) - self.left),
        )


@dataclass(frozen=True)
class DecodedTile:
    """What one tile gives to the synthesis."""

    y_hat: Tensor  # (1, M, h, w)
    features: Tensor  # (1, context, h, w)
    checksum: int  # CRC-32 of the symbols; those of missing layers count as 0


@dataclass(frozen=True)
class EncodedTile:
    """What one tile comes to, with what the decoder will make of it."""

    parts: list[Part]  # in order
    decoded: DecodedTile

    @property
    def bits(self) -> int:
        return 8 * sum(len(part.data) for part in self.parts)


@dataclass(frozen=True)
class Part:
    """Layers `first` to `last` of a tile, both included, coded together."""

    first: int
    last: int
    data: bytes


def areas(width: int, height: int, tile: int) -> Iterator[Area]:
    """The tiles of a picture of that size in pixels, in raster order."""
    rows, columns, side = -(-height // STRIDE), -(-width // STRIDE), tile // STRIDE
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            yield Area(top, min(top + side, rows), left, min(left + side, columns))


class CodingPrior:
    """The prior of one tile: means from the networks, rows from exact integers."""

    def __init__(self, runner: Runner, z_hat: Tensor, shape: torch.Size) -> None:
        """z_hat (1, Z, h, w), whole numbers, on the CPU; `shape` is that of y."""
        self._runner = runner
        height, width = shape[2:]
        with runner.autocast():
            features = runner.model.network.hyper_synthesis(z_hat.to(runner.device))
        self.features = features[:, :, :height, :width]
        self._hyper = runner.model.scales.hyper(z_hat[0])[:, :height, :width]

    def mean(self, y_hat: Tensor, step: int) -> Tensor:
        """Raises NotNumbers, which no weights that were trained come to: the networks are bounded."""
        with self._runner.autocast():
            mean = self._runner.model.network.means(self.features, y_hat, step)
        return _bounded(mean)

    def rows(self, magnitudes: Tensor, step: int) -> Tensor:
        return self._runner.model.scales.rows(self._hyper, magnitudes[0].cpu(), step)[None]


def z_rows(model: CodingModel, quality: int, shape: torch.Size) -> Rows:
    """The table row of each element of z (1, Z, h, w), flat."""
    of_channel = model.tables.z_rows[quality - 1]
    return np.repeat(of_channel, shape[2] * shape[3])


def symbol_checksum(z: Symbols, y: Symbols) -> int:
    """CRC-32 over all symbols of a tile: z, then y, channel by channel in raster order, as int32."""
    return zlib.crc32(y.astype("<i4").tobytes(), zlib.crc32(z.astype("<i4").tobytes()))


def checksum(of_symbols: int, cells: Cells | None) -> int:
    """The checksum of a tile: that of its symbols, 0 without any, continued over the payload of CELL."""
    return of_symbols if cells is None else zlib.crc32(cells.to_bytes(), of_symbols)


def join_checksums(head: bytes, alpha: bytes, checksums: list[int]) -> int:
    """The checksum of a file: CRC-32 over the payloads of HEAD and ALPH and the checksums of its tiles."""
    before = zlib.crc32(alpha, zlib.crc32(head))
    return zlib.crc32(struct.pack(f"<{len(checksums)}I", *checksums), before)


class NotNumbers(CorruptStream):
    """A network gave infinity or not-a-number: damage to a decoder; an encoder codes in another way."""


def finite(x: Tensor) -> Tensor:
    """x, if all of it is finite; raises NotNumbers."""
    if not bool(torch.isfinite(x).all()):
        raise NotNumbers("the networks give no numbers for these symbols")
    return x


def _bounded(x: Tensor) -> Tensor:
    return finite(x.float()).clamp(-MAX_SYMBOL, MAX_SYMBOL)


def _symbols(x: Tensor) -> Symbols:
    return x.cpu().numpy().astype(np.int32).ravel()


Pushed = tuple[Symbols, Rows, Tables]


def hyper_latent(runner: Runner, y: Tensor) -> Tensor:
    """z (1, Z, ceil(h / 4), ceil(w / 4)) of y (1, M, h, w), not rounded."""
    padding = (0, -y.shape[3] % HYPER_STRIDE, 0, -y.shape[2] % HYPER_STRIDE)
    with runner.autocast():
        z = runner.model.network.hyper_analysis(F.pad(y, padding, mode="replicate"))
    return z.float()


def encode_tile(
    runner: Runner,
    y: Tensor,
    quality: int,
    z: Tensor | None = None,
    choose: Callable[[Step], Tensor] | None = None,
) -> EncodedTile:
    """Code y (1, M, h, w), rounded; `z` is that of y unless given.

    `choose` gives the symbols of a step, whole numbers (1, M, h, w), in place of rounding.
    The code is read again before it is returned, so that what leaves here can be decoded.
    """
    model, y = runner.model, y.float()
    z_hat = _bounded(hyper_latent(runner, y) if z is None else z).round().cpu()
    z_symbols = _symbols(z_hat)
    prior = CodingPrior(runner, z_hat, y.shape)
    layers: list[list[Pushed]] = [
        [(z_symbols, z_rows(model, quality, z_hat.shape), model.tables.z)]
    ]
    all_symbols = torch.zeros(y.shape, dtype=torch.int32)

    def answer(step: Step) -> Tensor:
        is_coded = (step.rows >= model.tables.y.coded_from).to(y.device)
        chosen = (y - step.mean).round() if choose is None else choose(step)
        symbols = torch.where(is_coded & step.where, _bounded(chosen), 0.0)
        where = step.where.cpu()
        of_step = _symbols(symbols.cpu()[where])
        layers[-1].append((of_step, step.rows[where].numpy(), model.tables.y))
        layers.append([])
        all_symbols[where] = torch.from_numpy(of_step)
        return symbols

    y_hat = drive(walk(prior, y.shape, y.device), answer)
    sizes = [_expected_bytes(layer) for layer in layers[:LAYERS]]
    parts = [
        Part(first, last, _coded(list(itertools.chain(*layers[first : last + 1]))))
        for first, last in _spans(sizes)
    ]
    checksum = symbol_checksum(z_symbols, all_symbols.numpy().ravel())
    return EncodedTile(parts, DecodedTile(y_hat, prior.features, checksum))


def _expected_bytes(pushed: Sequence[Pushed]) -> float:
    """About what symbols will take, from the rows alone."""
    bits = (
        np.bincount(rows, minlength=tables.rows) @ tables.expected_bits
        for _, rows, tables in pushed
    )
    return float(sum(bits)) / 8


def _spans(sizes: list[float]) -> list[tuple[int, int]]:
    """First and last layer of each part: as many as come to SMALLEST_PART_BYTES."""
    spans: list[tuple[int, int]] = []
    first, size = 0, 0.0
    for layer, more in enumerate(sizes):
        size += more
        if size >= SMALLEST_PART_BYTES and sum(sizes[layer + 1 :]) >= SMALLEST_PART_BYTES:
            spans.append((first, layer))
            first, size = layer + 1, 0.0
    return [*spans, (first, len(sizes) - 1)] if first < len(sizes) else spans


def _coded(pushed: Sequence[Pushed]) -> bytes:
    encoder = Encoder()
    for symbols, rows, tables in pushed:
        encoder.push(symbols, rows, tables)
    data = encoder.finish()
    decoder = Decoder(data)
    for symbols, rows, tables in pushed:
        if not np.array_equal(decoder.pull(rows, tables), symbols):
            raise RuntimeError("the code does not read back: a fault of nacre, please report it")
    decoder.finish()
    return data


def decode_tile(
    runner: Runner, parts: Sequence[Part], height: int, width: int, quality: int
) -> DecodedTile:
    """Undo `encode_tile`, for y of `height` x `width`; the mean stands in for what later parts would hold.

    `parts` are in order, the first has layer 0. Raises CorruptStream when a code does not end with its
    last symbol.
    """
    model, config = runner.model, runner.model.config
    if not parts or parts[-1].last >= LAYERS:
        raise CorruptStream(f"a tile of {parts[-1].last + 1 if parts else 0} layers, not {LAYERS}")
    decoders = [Decoder(part.data) for part in parts]
    of_layer = [d for d, p in zip(decoders, parts, strict=True) for _ in range(p.first, p.last + 1)]
    hyper = (1, config.hyper, -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE))
    z_symbols = decoders[0].pull(z_rows(model, quality, torch.Size(hyper)), model.tables.z)
    z_hat = torch.from_numpy(z_symbols).float().view(hyper)
    shape = torch.Size((1, config.latent, height, width))
    prior = CodingPrior(runner, z_hat, shape)
    all_symbols = torch.zeros(shape, dtype=torch.int32)

    def answer(step: Step) -> Tensor:
        if step.number < len(of_layer):
            where = step.where.cpu()
            pulled = of_layer[step.number].pull(step.rows[where].numpy(), model.tables.y)
            all_symbols[where] = torch.from_numpy(pulled)
        return all_symbols.to(runner.device, torch.float32)

    y_hat = drive(walk(prior, shape, runner.device), answer)
    for decoder in decoders:
        decoder.finish()
    checksum = symbol_checksum(z_symbols, all_symbols.numpy().ravel())
    return DecodedTile(y_hat, prior.features, checksum)

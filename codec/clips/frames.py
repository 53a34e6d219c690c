"""Codes one frame: alone, or conditioned on the previous frame and the motion from there.

A frame is one entropy tile. The reference for the next frame is known to the decoder: the picture as it is
shown, in 8 bits; its latent, rounded to 1/16 of a step; its symbols. Differences between machines do not add
up, because the parse is exact and the picture is rounded at every frame.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nacre.codec import strips, tiles
from nacre.codec.areas import positions
from nacre.codec.chunks import read_varint, write_varint
from nacre.codec.clips import plain
from nacre.codec.motion import MotionEffort, MotionField, compensate, search
from nacre.codec.motion.blend import blended, blended_in_floats
from nacre.codec.motion.code import read_field, write_field
from nacre.codec.motion.fetching import fetched
from nacre.codec.motion.field import BLOCK
from nacre.codec.run import Run
from nacre.codec.search.descent import INTER, STILL
from nacre.codec.search.progress import Budget, Progress
from nacre.codec.search.refine import EFFORTS, refine_tile
from nacre.codec.search.target import Target
from nacre.codec.tiles import DecodedTile, TilePart
from nacre.entropy.coder import SymbolDecoder, SymbolEncoder
from nacre.entropy.errors import CorruptStream, UsageError
from nacre.models.parts.condition import Condition, InterNetwork, settled

Pixels = NDArray[np.uint8]
LUMA = (77, 150, 29)  # 256ths of red, green, blue
SIZE = struct.Struct("<II")  # width and height, which start the checksum of a group
CHECKED = struct.Struct("<BI")  # quality, checksum of symbols; motion follows
PRICE = 0.9  # of a bit in absolute differences, times the root of lambda


@dataclass(frozen=True)
class Reference:
    """A coded frame, as encoder and decoder know it."""

    picture: Tensor  # (3, H, W) uint8
    y_hat: Tensor  # (1, M, h, w) settled
    symbols: Tensor  # (1, M, h, w) whole numbers
    t: Tensor  # (1,) the quality of y_hat and symbols, in [0, 1]
    checksum: int  # of the frame


@dataclass(frozen=True)
class CodedFrame:
    """The bytes of a frame, and the reference for the next frame.

    The checksum covers quality, motion and symbols, or stored bytes, of this frame and of the earlier frames of
    its group.
    """

    data: bytes
    checksum: int
    reference: Reference


@dataclass(frozen=True)
class Prediction:
    """The prediction of a frame from a reference; `FrameCoder.predict` makes it."""

    before: Reference
    field: MotionField
    motion: bytes  # the coded field
    picture: Tensor  # (3, H, W) uint8, compensated
    is_predicted: Tensor  # (H, W) bool


class FrameCoder:
    """Codes frames of one size at one quality."""

    def __init__(self, run: Run, height: int, width: int) -> None:
        """`run` needs a model for inter frames. Raises UsageError for a model of pictures."""
        network = run.network
        if not isinstance(network, InterNetwork):
            raise UsageError(f"model {run.model.name} codes pictures, not clips")
        self.run, self.network, self.height, self.width = run, network, height, width
        self._start = zlib.crc32(SIZE.pack(width, height))
        self.base = replace(run, model=network.image_model())
        stride = network.reach.stride
        self.size = positions(height, stride), positions(width, stride)

    def encode_intra(self, pixels: Pixels, quality: int, effort: int = 0) -> CodedFrame:
        """A frame (H, W, 3) without a reference."""
        return self._encoded(self.base, None, pixels, quality, effort)

    def encode_inter(
        self, pixels: Pixels, reference: Reference, quality: int, effort: int = 0
    ) -> CodedFrame:
        """A frame (H, W, 3) with the previous frame as reference."""
        field = self.motion(pixels, reference, quality, effort)
        return self.encode_moved(pixels, self.predict(reference, field), quality, effort)

    def encode_moved(
        self, pixels: Pixels, prediction: Prediction, quality: int, effort: int = 0
    ) -> CodedFrame:
        """A frame (H, W, 3) with a known prediction."""
        run = self._given(prediction, quality)
        return self._encoded(run, prediction, pixels, quality, effort)

    def predict(self, before: Reference, field: MotionField) -> Prediction:
        """The prediction of a frame from a reference and the motion from there."""
        encoder = SymbolEncoder()
        write_field(field, encoder, self.run.model.tables)
        return self._prediction(before, field, encoder.finish())

    def motion(
        self, pixels: Pixels, reference: Reference, quality: int, effort: int = 0
    ) -> MotionField:
        """The motion from the reference to a frame; zero vectors where the model does not use motion."""
        if not self.network.uses_motion:
            return MotionField.still(self.height, self.width)
        picture = torch.from_numpy(np.require(pixels, requirements=("C", "W"))).permute(2, 0, 1)
        price = PRICE / float(self.network.lmbda(self.run.level(quality))) ** 0.5
        how = MotionEffort(splits=effort > 0)
        return search(luma(picture), luma(reference.picture), price, how)

    def cost(self, coded: CodedFrame, pixels: Pixels, quality: int) -> float:
        """The Lagrangian cost of a frame: its bits, and the price of its errors in bits."""
        away = _last_axis(coded.reference.picture).astype(np.int32) - pixels
        return 8 * len(coded.data) + self._error_price(quality) * float(np.square(away).sum())

    def encode_plain(
        self,
        pixels: Pixels,
        quality: int,
        prediction: Prediction | None,
        limit: float,
    ) -> CodedFrame | None:
        """A frame coded without networks, over a prediction or alone.

        None where its Lagrangian cost is `limit` bits or more.
        """
        predicted = None
        if prediction is not None:
            predicted = _last_axis(prediction.picture)
            limit -= 8 * len(_sized(prediction.motion))
        best = plain.best(pixels, predicted, self._error_price(quality), limit)
        return None if best is None else self._plain(*best, prediction, quality)

    def decode_stored(self, data: bytes, quality: int) -> CodedFrame:
        """Undo `encode_plain` without a prediction. Raises CorruptStream."""
        return self._plain(data, plain.shown_of(data, None, self.height, self.width), None, quality)

    def decode_patched(self, data: bytes, reference: Reference, quality: int) -> CodedFrame:
        """Undo `encode_plain` with a prediction from `reference`. Raises CorruptStream."""
        motion, stored, field = self._motion_of(data)
        prediction = self._prediction(reference, field, motion)
        predicted = _last_axis(prediction.picture)
        shown = plain.shown_of(stored, predicted, self.height, self.width)
        return self._plain(stored, shown, prediction, quality)

    def _plain(
        self, stored: bytes, shown: Pixels, prediction: Prediction | None, quality: int
    ) -> CodedFrame:
        picture = torch.from_numpy(np.array(shown)).permute(2, 0, 1).contiguous()
        known, start = CHECKED.pack(quality, zlib.crc32(stored)), self._start
        if prediction is None:
            nothing = torch.zeros(1, self.base.network.planes["y"].channels, *self.size)
            checksum = zlib.crc32(known, start)
            reference = Reference(picture, nothing, nothing, self.run.level(quality), checksum)
            return CodedFrame(stored, checksum, reference)
        before = prediction.before
        checksum = zlib.crc32(known + prediction.motion, before.checksum)
        y_hat, symbols = (fetched(p, prediction.field) for p in (before.y_hat, before.symbols))
        reference = Reference(picture, y_hat, symbols, before.t, checksum)
        return CodedFrame(_sized(prediction.motion) + stored, checksum, reference)

    def _error_price(self, quality: int) -> float:
        """Bits per squared level of one sample."""
        return float(self.network.lmbda(self.run.level(quality))) / 3

    def decode_intra(self, data: bytes, quality: int) -> CodedFrame:
        """Undo `encode_intra`. Raises CorruptStream."""
        return self._decoded(self.base, None, data, quality)

    def decode_inter(self, data: bytes, reference: Reference, quality: int) -> CodedFrame:
        """Undo `encode_inter`. Raises CorruptStream."""
        motion, code, field = self._motion_of(data)
        prediction = self._prediction(reference, field, motion)
        run = self._given(prediction, quality)
        return self._decoded(run, prediction, code, quality)

    def _motion_of(self, data: bytes) -> tuple[bytes, bytes, MotionField]:
        """The coded motion, the bytes behind it, and the decoded field. Raises CorruptStream."""
        size, at = read_varint(data, 0, "frame")
        if size > len(data) - at:
            raise CorruptStream(f"frame: {size} bytes of motion, {len(data) - at} left")
        motion = data[at : at + size]
        decoder = SymbolDecoder(motion)
        field = read_field(decoder, self.run.model.tables, self.height, self.width)
        decoder.finish()
        return motion, data[at + size :], field

    def _prediction(self, before: Reference, field: MotionField, motion: bytes) -> Prediction:
        is_predicted = torch.from_numpy(field.is_predicted)
        return Prediction(
            before, field, motion, compensate(before.picture, field, self.network.overlap),
            is_predicted.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: self.height, : self.width],
        )  # fmt: skip

    def _given(self, prediction: Prediction, quality: int) -> Run:
        """The run that codes a frame with this prediction."""
        reference, field = prediction.before, prediction.field
        picture = _last_axis(prediction.picture)
        t = self.run.level(quality)
        with self.run.computing():
            features = self.base.network.prepare(self._samples(picture))
            latent = self.base.network.analyse(features, t)["y"].float()
        rows, columns = self.size
        mask = torch.from_numpy(field.is_predicted[:rows, :columns]).to(latent)[None, None]
        previous, symbols = (fetched(p, field) for p in (reference.y_hat, reference.symbols))
        if not torch.equal(t, reference.t):
            previous = self.network.in_steps_of(t, previous, reference.t)
        condition = Condition.of(latent, features.float(), mask, previous, symbols)
        return replace(
            self.run, model=replace(self.run.model, network=self.network.given(condition))
        )

    def _samples(self, pixels: Pixels) -> Tensor:
        """(1, 3, H, W) in [0, 1], with edges repeated up to a multiple of the stride."""
        x = strips.samples(pixels, self.run.device)
        stride = self.network.reach.stride
        padding = (0, -x.shape[3] % stride, 0, -x.shape[2] % stride)
        return F.pad(x, padding, mode="replicate").contiguous(memory_format=torch.channels_last)

    def _encoded(
        self, run: Run, prediction: Prediction | None, pixels: Pixels, quality: int, effort: int
    ) -> CodedFrame:
        t = run.level(quality)
        with run.computing():
            planes = run.network.analyse(run.network.prepare(self._samples(pixels)), t)
        planes = tiles.complete(run, planes, t)
        tile = tiles.encode_tile(run, planes, quality, is_one_part=True)
        if effort and run.model.is_searched:
            x = 255 * strips.samples(pixels, run.device)
            show = self._blending(prediction, quality)
            target = Target(run, x, t, self._error_price(quality), show=show)
            progress = Progress(Budget())
            cost = target.cost(tile)
            how, care = EFFORTS[effort], STILL if prediction is None else INTER
            tile = refine_tile(target, planes, quality, how, progress, tile, cost, True, care)
        code = b"".join(part.data for part in tile.parts)
        return self._shown(run, prediction, code, tile.decoded, quality)

    def _blending(
        self, prediction: Prediction | None, quality: int
    ) -> Callable[[Tensor, int, int], Tensor] | None:
        """The `show` of a search target, which blends decoded pixels; None where the model does not blend."""
        if prediction is None or not self.network.blends:
            return None
        predicted = prediction.picture.to(self.run.device).float() / 255
        mask = prediction.is_predicted.to(self.run.device)

        def show(x_hat: Tensor, top: int, left: int) -> Tensor:
            rows, columns = slice(top, top + x_hat.shape[2]), slice(left, left + x_hat.shape[3])
            own = x_hat[0].float(), predicted[:, rows, columns], mask[rows, columns]
            return blended_in_floats(*own, quality)[None]

        return show

    def _decoded(
        self, run: Run, prediction: Prediction | None, code: bytes, quality: int
    ) -> CodedFrame:
        layers = run.network.schedule[-1].layer
        tile = tiles.decode_tile(run, [TilePart(0, layers, code)], *self.size, quality)
        return self._shown(run, prediction, code, tile, quality)

    def _shown(
        self, run: Run, prediction: Prediction | None, code: bytes, tile: DecodedTile, quality: int
    ) -> CodedFrame:
        t = run.level(quality)
        with run.computing():
            x_hat = run.network.synthesise(tile.shown, t)
        x_hat = tiles.finite(x_hat[0, :, : self.height, : self.width]).float()
        picture = (x_hat.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        known, start = CHECKED.pack(quality, tile.checksum), self._start
        data = code
        if prediction is not None:
            known += prediction.motion
            start = prediction.before.checksum
            data = _sized(prediction.motion) + code
            if self.network.blends:
                picture = blended(picture, prediction.picture, prediction.is_predicted, quality)
        checksum = zlib.crc32(known, start)
        reference = Reference(
            picture.contiguous(), settled(tile.shown["y"].float()), tile.symbols["y"].float(), t,
            checksum,
        )  # fmt: skip
        return CodedFrame(data, checksum, reference)


def _sized(data: bytes) -> bytes:
    return write_varint(len(data)) + data


def _last_axis(picture: Tensor) -> Pixels:
    """(H, W, 3) of (3, H, W)."""
    return picture.permute(1, 2, 0).numpy()


def luma(picture: Tensor) -> Tensor:
    """(H, W) uint8 of (3, H, W) uint8."""
    red, green, blue = picture.int()
    total = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return ((total + 128) >> 8).to(torch.uint8)

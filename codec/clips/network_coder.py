"""Codes groups of pictures with networks: a first frame alone, each later frame given the previous frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nacre.codec.clips.coding import FrameKind, FramePayload, GopCoder
from nacre.codec.clips.facts import Pixels, to_8_bits
from nacre.codec.clips.frames import CodedFrame, FrameCoder, Reference
from nacre.codec.clips.rate import LARGEST_STEP, RateModel
from nacre.codec.container import Head
from nacre.codec.run import Run, memory_errors_named
from nacre.entropy.errors import CorruptStream

DEFAULT_MODEL = "clip"
TRIALS = 4  # encodings of the first frame of a group, at most
DOUBTFUL = 0.7  # share of the bits of a first frame, from which an inter frame is tried alone
# A way without networks must cost less than this share of the networks: a frame by networks is the better
# reference for networks.
WORTH = 0.75
CLOSE = 2  # steps of quality: a first frame so near to the quality that its budget asks for is kept


class NetworkGopCoder:
    """Codes frames of one size, at one quality or within a budget; a `GopCoder`."""

    bits = 8  # references are pictures of 8 bits

    def __init__(
        self, run: Run, height: int, width: int, quality: int = 60, effort: int = 0
    ) -> None:
        """`run` needs a model for inter frames. Decoding takes the quality from the payloads.

        Raises UsageError for a model of pictures.
        """
        self._frames = FrameCoder(run, height, width)
        self.model_id, self.quality, self._effort = run.model.id, quality, effort
        self._rate = RateModel()

    def encode_gop(
        self, frames: Sequence[Pixels], budget: float | None = None
    ) -> list[FramePayload]:
        # Not in inference mode: searches follow gradients.
        # Without a budget a group is coded alike whatever was coded before, or is coded at the same time.
        rate = self._rate if budget is not None else RateModel()
        with torch.inference_mode(False), torch.no_grad(), memory_errors_named():
            first = self._first(frames, budget, rate)
            payloads, reference = [first[0]], first[1]
            spent = 0
            for k in range(1, len(frames)):
                quality = self.quality
                spent += 8 * len(payloads[-1].data)
                if budget is not None:
                    wanted = rate.quality(budget - spent, 0, len(frames) - k)
                    last = payloads[-1].quality
                    quality = min(max(wanted, last - LARGEST_STEP), last + LARGEST_STEP)
                payload, reference = self._encoded(frames[k], reference, quality, rate)
                payloads.append(payload)
        return payloads

    def _first(
        self, frames: Sequence[Pixels], budget: float | None, rate: RateModel
    ) -> tuple[FramePayload, Reference]:
        """The first frame of a group; with a budget, at a quality that leaves enough bits for the others."""
        if budget is None:
            return self._encoded(frames[0], None, self.quality, rate)
        inter = len(frames) - 1
        quality = self.quality
        if rate.knows(FrameKind.INTRA):
            quality = rate.quality(budget, 1, inter)
        for _ in range(TRIALS):
            first = self._encoded(frames[0], None, quality, rate)
            if inter and not rate.knows(FrameKind.INTER):
                # Teaches the bits of inter frames.
                self._encoded(frames[1], first[1], quality, rate)
            wanted = rate.quality(budget, 1, inter)
            if abs(wanted - quality) <= CLOSE:
                break
            quality = wanted
        return first

    def decode_gop(self, payloads: Sequence[FramePayload]) -> Iterator[Pixels]:
        """Raises CorruptStream, also for a checksum that differs."""
        reference: Reference | None = None
        for i, payload in enumerate(payloads):
            with torch.inference_mode(), memory_errors_named():
                coded = self._decoded(payload, reference)
            if coded.checksum != payload.checksum:
                raise CorruptStream(
                    f"frame {i} of its group: the symbols differ from the written ones"
                )
            reference = coded.reference
            yield reference.picture.permute(1, 2, 0).contiguous().numpy()

    def _decoded(self, payload: FramePayload, reference: Reference | None) -> CodedFrame:
        """Raises CorruptStream."""
        data, quality = payload.data, payload.quality
        if payload.kind == FrameKind.INTRA:
            return self._frames.decode_intra(data, quality)
        if payload.kind == FrameKind.STORED:
            return self._frames.decode_stored(data, quality)
        if reference is None:
            raise CorruptStream("a group of pictures begins with an inter frame")
        if payload.kind == FrameKind.PATCHED:
            return self._frames.decode_patched(data, reference, quality)
        return self._frames.decode_inter(data, reference, quality)

    def _encoded(
        self, pixels: Pixels, reference: Reference | None, quality: int, rate: RateModel
    ) -> tuple[FramePayload, Reference]:
        """A frame in the way of least Lagrangian cost, and the reference for the next frame."""
        frame = to_8_bits(pixels)
        if reference is None:
            kind, coded = self._alone(frame, quality)
        else:
            kind, coded = self._predicted(frame, reference, quality, rate)
        counted = FrameKind.INTRA if kind.is_alone else FrameKind.INTER
        rate.learn(counted, quality, 8 * len(coded.data))
        return FramePayload(kind, quality, coded.checksum, coded.data), coded.reference

    def _alone(self, frame: NDArray[np.uint8], quality: int) -> tuple[FrameKind, CodedFrame]:
        coded = self._frames.encode_intra(frame, quality, self._effort)
        cost = self._frames.cost(coded, frame, quality)
        stored = self._frames.encode_plain(frame, quality, None, WORTH * cost)
        return (FrameKind.INTRA, coded) if stored is None else (FrameKind.STORED, stored)

    def _predicted(
        self, frame: NDArray[np.uint8], reference: Reference, quality: int, rate: RateModel
    ) -> tuple[FrameKind, CodedFrame]:
        field = self._frames.motion(frame, reference, quality, self._effort)
        prediction = self._frames.predict(reference, field)
        coded = self._frames.encode_moved(frame, prediction, quality, self._effort)
        kind, cost = FrameKind.INTER, self._frames.cost(coded, frame, quality)
        patched = self._frames.encode_plain(frame, quality, prediction, WORTH * cost)
        if patched is not None:
            kind, coded = FrameKind.PATCHED, patched
            cost = self._frames.cost(coded, frame, quality)
        if 8 * len(coded.data) > DOUBTFUL * rate.bits(FrameKind.INTRA, quality):
            found, alone = self._alone(frame, quality)
            if self._frames.cost(alone, frame, quality) < cost:
                return found, alone
        return kind, coded


def coder_to_encode(
    height: int, width: int, quality: int, effort: int, options: Mapping[str, Any]
) -> GopCoder:
    """A coder with the model of the options, or DEFAULT_MODEL. Raises UsageError or WeightsError."""
    run = Run.to_encode({**options, "model": options.get("model") or DEFAULT_MODEL})
    return NetworkGopCoder(run, height, width, quality, effort)


def coder_to_decode(head: Head, options: Mapping[str, Any]) -> GopCoder:
    """A coder with the model that a file names. Raises UsageError, UnsupportedStream or WeightsError."""
    run = Run.to_decode(head.model, options)
    return NetworkGopCoder(run, head.height, head.width, head.quality)

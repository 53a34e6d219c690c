"""Networks as a coder of groups of pictures: a frame by itself, then frames given the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nacre.codec.clips.coding import FrameKind, FramePayload, GopCoder
from nacre.codec.clips.facts import Pixels, to_8_bits
from nacre.codec.clips.frames import CodedFrame, FrameCoder, Reference
from nacre.codec.container import Head
from nacre.codec.run import Run, memory_errors_named
from nacre.entropy.errors import CorruptStream

DEFAULT_MODEL = "clip"


class NetworkGopCoder:
    """Codes frames of one size at one quality; a `GopCoder`."""

    bits = 8  # references are pictures of 8 bits

    def __init__(
        self, run: Run, height: int, width: int, quality: int = 60, effort: int = 0
    ) -> None:
        """`run` has a model for inter frames. A decoder takes the quality from the payloads.

        Raises UsageError for a model of pictures.
        """
        self._frames = FrameCoder(run, height, width)
        self.model_id, self.quality, self._effort = run.model.id, quality, effort

    def encode_gop(self, frames: Sequence[Pixels]) -> list[FramePayload]:
        payloads: list[FramePayload] = []
        reference: Reference | None = None
        for pixels in frames:
            with torch.inference_mode(), memory_errors_named():
                kind, coded = self._encoded(to_8_bits(pixels), reference)
            payloads.append(FramePayload(kind, self.quality, coded.checksum, coded.data))
            reference = coded.reference
        return payloads

    def decode_gop(self, payloads: Sequence[FramePayload]) -> Iterator[Pixels]:
        """Raises CorruptStream, where a checksum differs too."""
        reference: Reference | None = None
        for i, payload in enumerate(payloads):
            with torch.inference_mode(), memory_errors_named():
                if payload.kind == FrameKind.INTRA:
                    coded = self._frames.decode_intra(payload.data, payload.quality)
                elif reference is not None:
                    coded = self._frames.decode_inter(payload.data, reference, payload.quality)
                else:
                    raise CorruptStream("a group of pictures begins with an inter frame")
            if coded.checksum != payload.checksum:
                raise CorruptStream(
                    f"frame {i} of its group: the symbols differ from the written ones"
                )
            reference = coded.reference
            yield reference.picture.permute(1, 2, 0).contiguous().numpy()

    def _encoded(
        self, pixels: NDArray[np.uint8], reference: Reference | None
    ) -> tuple[FrameKind, CodedFrame]:
        if reference is None:
            return FrameKind.INTRA, self._frames.encode_intra(pixels, self.quality, self._effort)
        coded = self._frames.encode_inter(pixels, reference, self.quality, self._effort)
        return FrameKind.INTER, coded


def coder_to_encode(
    height: int, width: int, quality: int, effort: int, options: Mapping[str, Any]
) -> GopCoder:
    """With the model of the options. Raises UsageError or WeightsError."""
    run = Run.to_encode({**options, "model": options.get("model") or DEFAULT_MODEL})
    return NetworkGopCoder(run, height, width, quality, effort)


def coder_to_decode(head: Head, options: Mapping[str, Any]) -> GopCoder:
    """With the model that a file names. Raises UsageError, UnsupportedStream or WeightsError."""
    run = Run.to_decode(head.model, options)
    return NetworkGopCoder(run, head.height, head.width, head.quality)

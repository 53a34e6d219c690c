"""The latent of a file, without its picture: `codec.latents`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import Unpack

from nacre.codec.bodies.latent import LatentBody
from nacre.codec.chunks import Bytes
from nacre.codec.container import Coding, Stream, read_head
from nacre.codec.region import Region
from nacre.codec.run import RunOptions, limits_of, memory_errors_named
from nacre.entropy.errors import UnsupportedStream
from nacre.entropy.schedule import planes_of


def latents(
    data: Bytes,
    *,
    planes: Sequence[str] = ("y",),
    only_symbols: bool = False,
    **options: Unpack[RunOptions],
) -> dict[str, Tensor]:
    """Planes of the latent of a file, by name: (C, h, w) of float32, of the whole picture.

    h and w are the sides of the picture, divided by the stride of the plane and rounded up. Values are mean
    plus symbol, in quantisation steps, as the synthesis sees them; they differ between machines in the last
    bits. With `only_symbols` they are the symbols, whole numbers (int32) that are equal on every machine;
    no network in floats is run. `planes` may be empty, for all of them.

    Cells that are coded in another way are left out: the latent under them is the encoder's filling.
    Raises StreamError (UnsupportedStream for a file without a latent), LimitError, WeightsError, and
    UsageError for planes that the model does not have.
    """
    limits = limits_of(options)
    head = read_head(data, limits)
    if head.coding != Coding.LATENT:
        raise UnsupportedStream("the file has no latent: its picture is stored in another way")
    body = LatentBody(head, Region(0, 0, head.width, head.height), options)
    stream = Stream.from_bytes(data, limits)
    body.require_all_layers(stream)
    assert stream.end is not None  # of a file that is not cut
    with torch.inference_mode(), memory_errors_named():
        found = body.planes(
            stream, stream.end.checksum, planes or planes_of(body.schedule), only_symbols
        )
    # Tensors of inference mode could not be trained on.
    dtype = torch.int32 if only_symbols else torch.float32
    return {
        name: torch.empty_like(plane, dtype=dtype).copy_(plane)[0] for name, plane in found.items()
    }

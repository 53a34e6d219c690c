"""Pictures to nacre files and back: what a user imports.

from nacre import codec
data = codec.encode(Image.open("photo.jpg"), quality=60)
image = codec.decode(data)
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from nacre.codec import alpha, memory, strips, tiles
from nacre.codec.chunks import Bytes
from nacre.codec.colour import Picture, to_picture, to_pil
from nacre.codec.container import (
    MAX_QUALITY,
    Alpha,
    End,
    Head,
    Latent,
    Limits,
    Meta,
    Stream,
    read_head,
)
from nacre.codec.tiles import LAYERS, PRECISIONS, Runner
from nacre.entropy.errors import CorruptStream, LimitError, UsageError
from nacre.models import zoo
from nacre.models.config import STRIDE, ImageConfig
from nacre.models.image import ImageModel
from nacre.models.weights_file import CodingModel

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_QUALITY = 60
# Peak memory of either side, float32, over the process, its weights and the picture itself:
# `python -m nacre.tools.benchmark` prints it.
BYTES_PER_BLOCK_PIXEL, BYTES_PER_BAND_PIXEL, BYTES_PER_TILE_PIXEL, BYTES_PER_PIXEL = 200, 40, 60, 10


class CutFileWarning(UserWarning):
    """The file ends early; the picture is made from what is there."""


@dataclass(frozen=True)
class Region:
    """A part of a picture in pixels, as the pixels lie in the file."""

    x: int
    y: int
    width: int
    height: int

    def check(self, head: Head) -> None:
        inside = self.x >= 0 and self.y >= 0 and self.width >= 1 and self.height >= 1
        if not inside or self.x + self.width > head.width or self.y + self.height > head.height:
            raise UsageError(
                f"region {self.x},{self.y},{self.width},{self.height} is not inside {head.width}x{head.height}"
            )


def encode(
    image: Image.Image | NDArray[Any] | Tensor,
    *,
    quality: int = DEFAULT_QUALITY,
    model: str | Path = zoo.DEFAULT,
    device: str = "cpu",
    precision: str = "float32",
    strip: bool = False,
    limits: Limits = Limits(),
) -> bytes:
    """Code a picture: a PIL image, an array (H, W) or (H, W, 1 to 4) of uint8 or uint16, or a tensor
    (1 to 4, H, W).

    Two channels are grey and transparency, four are colour and transparency, which is kept without loss.

    `quality` is 1..100, 100 the best that the model can do. `model` is an embedded model's name or the
    path of a weights file. `precision` is "float32" or "bfloat16", of the networks; the file decodes
    alike. `strip` drops ICC, EXIF and XMP, which are kept otherwise. Float tensors are in [0, 1]. An array
    may be a memory map: rows are read as they are coded.

    Raises UsageError, ImageError, WeightsError or LimitError.
    """
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= MAX_QUALITY:
        raise UsageError(f"quality {quality!r}: a whole number from 1 to {MAX_QUALITY} wanted")
    picture = to_picture(image)
    height, width = picture.pixels.shape[:2]
    runner = _runner(zoo.load_model(model), device, precision)
    head = Head(
        width,
        height,
        quality,
        runner.model.id,
        channels=picture.channels,
        bit_depth=8 * picture.pixels.itemsize,
        orientation=picture.orientation,
    )
    _check_limits(head, runner.model.config, limits)
    latents: list[Latent] = []
    checksums: list[int] = []
    with torch.inference_mode(), _memory_errors_named():
        bands = strips.analyse(
            runner, picture.pixels, _t(quality, runner.device), head.tile // STRIDE
        )
        for band in bands:
            for y in band.split(head.tile // STRIDE, 3):
                parts, checksum = tiles.encode_tile(runner, y, quality)
                latents += [Latent(p.first, p.last, len(checksums), p.data) for p in parts]
                checksums.append(checksum)
            if band.shape[2] < height // STRIDE:
                memory.give_back_freed()
    latents.sort(key=lambda latent: (latent.first, latent.tile))
    metadata = () if strip else tuple(Meta(kind, block) for kind, block in picture.metadata.items())
    plane = None if picture.alpha is None else Alpha(alpha.to_bytes(picture.alpha))
    end = End(_checksum(head, plane, checksums))
    return Stream(head, metadata, tuple(latents), end, plane).to_bytes()


def decode(
    data: Bytes,
    *,
    model: str | Path | None = None,
    device: str = "cpu",
    precision: str = "float32",
    limits: Limits = Limits(),
    region: Region | None = None,
    preview: bool = False,
    strict: bool = False,
) -> Image.Image:
    """Read a file: a PIL image of mode RGB, RGBA, L, LA or I;16, with ICC, EXIF and XMP in its `info`.

    Pillow has no 16-bit colour: it is rounded to 8 bits with an ImageWarning; `Opened(data).picture()`
    keeps it.

    The model is the one that the file names; `model`, a path, adds one to those that are embedded.
    `region` decodes a part of the picture, and reads the tiles that it needs alone. `preview` reads the
    first layer alone. A file that ends behind its first layer is decoded with a CutFileWarning, unless
    `strict`. Raises StreamError (TruncatedStream, CorruptStream, UnsupportedStream), LimitError or
    WeightsError, and UsageError for a region outside the picture.
    """
    return to_pil(
        Opened(
            data, model=model, device=device, precision=precision, limits=limits, region=region,
            preview=preview, strict=strict,
        ).picture()
    )  # fmt: skip


class Opened:
    """A file whose picture is decoded row by row: what `decode` is made of, for pictures of any size.

    Takes what `decode` takes. Nothing but the chunks is read until `rows` is called.
    """

    def __init__(
        self,
        data: Bytes,
        *,
        model: str | Path | None = None,
        device: str = "cpu",
        precision: str = "float32",
        limits: Limits = Limits(),
        region: Region | None = None,
        preview: bool = False,
        strict: bool = False,
    ) -> None:
        self.head = head = read_head(data, limits)
        self._runner = _runner(zoo.model_of_stream(head.model, model), device, precision)
        _check_limits(head, self._runner.model.config, limits)
        self._region = Region(0, 0, head.width, head.height) if region is None else region
        self._region.check(head)
        self._window = self._area_of(self._region)
        self._tiles = {
            i: area
            for i, area in enumerate(tiles.areas(head.width, head.height, head.tile))
            if area.meets(self._window)
        }
        stream = Stream.from_bytes(
            data,
            limits,
            may_be_cut=not strict,
            tiles=None if region is None else self._tiles,
            only_first=preview,
        )
        self.metadata, self._alpha = stream.metadata, stream.alpha
        self._parts: dict[int, list[tiles.Part]] = {}
        for latent in stream.latents:
            part = tiles.Part(latent.first, latent.last, latent.data)
            self._parts.setdefault(latent.tile, []).append(part)
        is_partial = preview or region is not None
        self._checksum = stream.end.checksum if stream.end and not is_partial else None
        if stream.end is None:
            found = sum(len(latent.data) for latent in stream.latents)
            warnings.warn(
                f"the file is cut: {found} coded bytes of it make a coarser picture",
                CutFileWarning,
                stacklevel=3,
            )
        elif not preview:
            self._need_all_layers()

    def parse(self) -> None:
        """Read every symbol without making a picture; raises CorruptStream."""
        with torch.inference_mode(), _memory_errors_named():
            for _ in self._bands():
                pass

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of what `rows` gives."""
        return self._region.height, self._region.width

    def picture(self) -> Picture:
        """All of it: samples of 8 or 16 bits, transparency, metadata. Raises CorruptStream or LimitError."""
        with _memory_errors_named():
            pixels = np.empty((*self.size, self.head.colours), self.dtype)
            for top, rows in self.rows():
                pixels[top : top + len(rows)] = rows
            metadata = {m.kind: m.data for m in self.metadata}
            return Picture(pixels, metadata, self.head.orientation, self.alpha())

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples that `rows` gives."""
        return np.dtype(np.uint8 if self.head.bit_depth == 8 else np.uint16)

    def alpha(self) -> NDArray[np.uint8] | None:
        """(H, W) transparency, 0 transparent and 255 opaque, or None; raises CorruptStream."""
        if self._alpha is None:
            return None
        region = self._region
        plane = alpha.from_bytes(self._alpha.data, self.head.width, self.head.height)
        return plane[region.y : region.y + region.height, region.x : region.x + region.width]

    def rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        """(top, rows (n, W, 1 or 3)), downwards. Raises CorruptStream, at the latest with the last rows."""
        rows = self._rows()
        while True:
            with torch.inference_mode(), _memory_errors_named():  # not while others work
                found = next(rows, None)
            if found is None:
                return
            yield found

    def _rows(self) -> Iterator[tuple[int, strips.Pixels]]:
        region, window, head = self._region, self._window, self.head
        left = region.x - window.left * STRIDE
        at = window.top * STRIDE - region.y  # of the block's first row, in the region
        blocks = strips.synthesise(
            self._runner,
            self._bands(),
            (window.height, window.width),
            _t(head.quality, self._runner.device),
            head.colours,
            head.bit_depth,
        )
        for pixels in blocks:
            first, last = max(0, -at), min(len(pixels), region.height - at)
            if first < last:
                yield at + first, pixels[first:last, left : left + region.width]
            at += len(pixels)

    def _bands(self) -> Iterator[strips.Band]:
        """Rows of tiles, one row of them after the other, cut to the window."""
        checksums: list[int] = []
        width, config = self._window.width, self._runner.model.config
        for _, row in itertools.groupby(self._tiles.items(), key=lambda item: item[1].top):
            band: strips.Band | None = None
            for tile, area in row:
                decoded = tiles.decode_tile(
                    self._runner, self._parts[tile], area.height, area.width, self.head.quality
                )
                checksums.append(decoded.checksum)
                rows, columns = area.inside(self._window)
                if band is None:
                    shape = (rows.stop - rows.start, width)
                    band = strips.Band.empty(shape, config, self._runner.device)
                at = area.left + columns.start - self._window.left
                band.put(
                    at, decoded.y_hat[:, :, rows, columns], decoded.features[:, :, rows, columns]
                )
                del decoded
            if len(checksums) == len(self._tiles):
                self._check(checksums)
            assert band is not None
            if band.rows < self._window.height:
                memory.give_back_freed()
            yield band
            del band  # while others work

    def _check(self, checksums: list[int]) -> None:
        found = _checksum(self.head, self._alpha, checksums)
        if self._checksum is not None and found != self._checksum:
            raise CorruptStream(
                "the symbols are not those that were written: their checksum differs"
            )

    def _need_all_layers(self) -> None:
        for tile, parts in self._parts.items():
            if parts[-1].last != LAYERS - 1:
                raise CorruptStream(f"tile {tile} has {parts[-1].last + 1} layers, not {LAYERS}")

    def _area_of(self, region: Region) -> tiles.Area:
        """The positions of the latent that a region and its halo need."""
        beyond = strips.halo(self._runner.model.config)
        height, width = (-(-side // STRIDE) for side in (self.head.height, self.head.width))
        return tiles.Area(
            max(0, region.y // STRIDE - beyond),
            min(height, -(-(region.y + region.height) // STRIDE) + beyond),
            max(0, region.x // STRIDE - beyond),
            min(width, -(-(region.x + region.width) // STRIDE) + beyond),
        )


def _checksum(head: Head, plane: Alpha | None, checksums: list[int]) -> int:
    return tiles.join_checksums(
        head.to_bytes(), plane.to_bytes() if plane is not None else b"", checksums
    )


def _check_limits(head: Head, config: ImageConfig, limits: Limits) -> None:
    """Refuse what would need more than the limits allow, before any of it is allocated."""
    if head.width * head.height > limits.pixels:
        raise LimitError(f"{head.width}x{head.height} pixels are over the limit of {limits.pixels}")
    height, width = (-(-side // STRIDE) for side in (head.height, head.width))
    side = head.tile // STRIDE
    rows, columns = strips.blocks(height, width, config)
    block = max(r.high - r.low for r in rows) * max(c.high - c.low for c in columns)
    tile = min(height, side) * min(width, side)
    needed = STRIDE**2 * (
        block * BYTES_PER_BLOCK_PIXEL
        + min(height, side) * width * BYTES_PER_BAND_PIXEL
        + tile * BYTES_PER_TILE_PIXEL
        + height * width * BYTES_PER_PIXEL * head.bit_depth // 8
    )
    if needed > limits.memory_bytes:
        raise LimitError(
            f"{head.width}x{head.height} pixels need about {needed >> 20} MiB, "
            f"the limit is {limits.memory_bytes >> 20}"
        )


@contextmanager
def _memory_errors_named() -> Iterator[None]:
    """Whatever cannot be allocated, within the limits or not, is a LimitError."""
    try:
        yield
    except MemoryError as error:
        raise LimitError("out of memory") from error
    except RuntimeError as error:
        if "alloc" in str(error) or "out of memory" in str(error):
            raise LimitError("out of memory") from error
        raise


def _runner(model: CodingModel, device: str, precision: str) -> Runner:
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r}: {' or '.join(PRECISIONS)} wanted")
    try:
        place = torch.device(device)
        if place.type == "meta":
            raise RuntimeError("it holds no numbers")
        network = model.network if place.type == "cpu" else _network_on(model.network, place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {reason}") from error
    return Runner(dataclasses.replace(model, network=network), place, precision)


@lru_cache(maxsize=4)
def _network_on(network: ImageModel, device: torch.device) -> ImageModel:
    """A copy on another device; the one on the CPU stays as it is."""
    return copy.deepcopy(network).to(device)


def _t(quality: int, device: torch.device) -> Tensor:
    """The quality as the networks know it: (1,) in [0, 1]."""
    return torch.tensor([(quality - 1) / (MAX_QUALITY - 1)], device=device)
